"""Postgres: tables, connections by role, queries that return dataclasses."""
