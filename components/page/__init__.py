"""The page that holds the tabs: header, links between tabs, guided tour, API."""
