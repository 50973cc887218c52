"""Bring a database to the newest schema, as its administrator."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.db.session import Role, role_password

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def migrate(administrator_url: str, *, secret: str | None, to: str = "head") -> None:
    """Run the migrations, then set up the roles: what Postgres logs of them, and their passwords.

    The embedded server trusts its local socket and needs no passwords: no secret, none set.
    """
    with _connected(administrator_url) as config:
        if to == "base":
            command.downgrade(config, to)
        else:
            command.upgrade(config, to)
            _log_no_values(administrator_url)
    if secret is not None:
        _set_passwords(administrator_url, secret)


def stamp(administrator_url: str, revision: str) -> None:
    """Note that the database has this revision, without running anything."""
    with _connected(administrator_url) as config:
        command.stamp(config, revision)


def revisions() -> list[str]:
    """Return every revision, the first one first."""
    return [one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


@cache
def newest_revision() -> str:
    """Return the revision this code was written for."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


@contextmanager
def _connected(administrator_url: str) -> Generator[Config]:
    config = _config()
    # Connected here, so that a server that refuses is psycopg's error and not the engine's.
    with psycopg.connect(administrator_url) as connected:
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: connected, poolclass=NullPool
        )
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            yield config


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _log_no_values(administrator_url: str) -> None:
    """Keep a refused row's values, a call or a probability among them, out of Postgres's log."""
    with psycopg.connect(administrator_url) as connection:
        # Two processes that start together would alter the same row.
        connection.execute("SELECT pg_advisory_xact_lock(7004)")
        found = connection.execute(
            "SELECT rolname FROM pg_roles WHERE 'log_error_verbosity=terse' = ANY (rolconfig)"
        )
        already = {row[0] for row in found}
        for role in [role for role in Role if role not in already]:
            connection.execute(
                sql.SQL("ALTER ROLE {} SET log_error_verbosity = terse").format(
                    sql.Identifier(role)
                )
            )


def _set_passwords(administrator_url: str, secret: str) -> None:
    with psycopg.connect(administrator_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(7000, 0)")  # as in migrations/env.py
        for role in Role:
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(role_password(secret, role))
                )
            )
