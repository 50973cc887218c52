"""The rules in plain Python: no database, no web, no files beyond what is handed in."""
