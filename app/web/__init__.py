"""Thin pages: parse the form, call the action, fill the template."""
