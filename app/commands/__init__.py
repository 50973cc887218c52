"""The commands of `reread`, as app/__main__.py offers them; each returns the exit status."""
