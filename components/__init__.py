"""The page: one module a tab, plus what they share. Nothing here computes; it asks the engine."""
