"""The corpus as tools of the Model Context Protocol: search, open a page or a second, ask."""
