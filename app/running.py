"""What a command runs on: the configured Postgres, or the embedded one while the command lasts."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from app.db.embedded import embedded_postgres
from app.db.migrate import migrate
from app.db.server_settings import refuse_old_server
from app.db.session import Database, Role
from app.domain.errors import Unavailable
from app.settings import Settings
from app.storage import Storage


@dataclass(frozen=True)
class Running:
    """A database that answers, the files beside it, and the administrator's way in."""

    settings: Settings
    database: Database
    storage: Storage
    administrator_url: str


@contextmanager
def running(settings: Settings) -> Generator[Running]:
    """Give the database; starts the embedded server where none is configured, and migrates it.

    A configured server is migrated only by `reread migrate`. The embedded one stops with the last
    command that uses it. Raises Unavailable on a server that is too old.
    """
    with _server(settings) as url:
        if not settings.database_url:
            migrate(url, secret=None)
        yield from _with_database(settings, url)


def embedded_folder(settings: Settings) -> Path:
    """Return where the embedded server keeps its data."""
    return settings.data_folder / "postgres"


@contextmanager
def unmigrated(settings: Settings) -> Generator[str]:
    """Give the URL of the database as it is, for its administrator: to restore into, to migrate.

    Raises Unavailable on a server that is too old.
    """
    with _server(settings) as url:
        with psycopg.connect(url) as connection:
            refuse_old_server(connection)
        yield url


@contextmanager
def _server(settings: Settings) -> Generator[str]:
    if settings.database_url:
        yield settings.database_url
        return
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    with embedded_postgres(embedded_folder(settings)) as url:
        yield url


def _with_database(settings: Settings, url: str) -> Generator[Running]:
    database = Database(
        url,
        secret=settings.secret,
        connections=settings.connections,
        prepares=not settings.pgbouncer,
        replica_url=settings.replica_url,
    )
    try:
        # As a role: who serves need not have the administrator's password.
        with database.begin(Role.ACCOUNT, actor=None) as connection:
            refuse_old_server(connection)
        yield Running(settings, database, Storage(settings.storage_url), url)
    except Unavailable as refusal:
        # A pool only knows that nobody got a connection; who runs the command must know why.
        if reason := database.why_not_connected(Role.ACCOUNT):
            raise Unavailable(
                f"The database cannot be reached: {reason}\nIts roles and their passwords are made "
                "by reread migrate, as the administrator and with the same REREAD_SECRET."
            ) from refusal
        raise
    finally:
        database.close()
