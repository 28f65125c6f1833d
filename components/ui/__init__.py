"""What every tab uses: theme, handlers, access, recipe fields, HTML, charts."""
