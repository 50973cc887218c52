"""The pages, one module a corner of the site."""
