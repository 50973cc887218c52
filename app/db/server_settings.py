"""What the Postgres server must be so that no committed row is lost or left without a backup."""

from app.db.session import Connection, Database, Role
from app.domain.errors import Unavailable

OLDEST = 18  # the server that the tests run on, and whose pg_dump and pg_restore are used

# Setting -> how to mend it. synchronous_commit may also be set for a role or a database.
_IN_CONFIGURATION = "ALTER SYSTEM SET {} = on; SELECT pg_reload_conf();"
MUST_BE_ON = {
    "fsync": _IN_CONFIGURATION.format("fsync"),
    "full_page_writes": _IN_CONFIGURATION.format("full_page_writes"),
    "synchronous_commit": _IN_CONFIGURATION.format("synchronous_commit")
    + " ALTER ROLE reread_reader RESET synchronous_commit;",
    "data_checksums": "stop the server; pg_checksums --enable --pgdata FOLDER; start it again.",
}


def refuse_old_server(connection: Connection) -> None:
    """Raise Unavailable where the server is older than the programs that back up and restore.

    An older one would take every call, and its backup could not be restored: pg_restore sets what
    it does not know.
    """
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        raise Unavailable(
            f"This server is PostgreSQL {version}; reread needs {OLDEST} or newer. Nothing was "
            "changed."
        )


def unsafe_settings(connection: Connection) -> list[str]:
    """Return which of the settings are off, as they hold for this connection's role."""
    found = connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(MUST_BE_ON)]
    ).fetchall()
    # The other values of synchronous_commit (local, remote_write, ...) all wait for this disk.
    off = {name for name, setting in found if setting == "off"}
    return [name for name in MUST_BE_ON if name in off]


def refuse_unsafe_server(database: Database) -> None:
    """Raise Unavailable, naming each setting and how to mend it, where calls could be lost."""
    with database.begin(Role.READER, actor=None) as connection:
        unsafe = unsafe_settings(connection)
    if unsafe:
        mend = "\n".join(f"  {name} is off. To mend it: {MUST_BE_ON[name]}" for name in unsafe)
        raise Unavailable(
            "This Postgres may lose a call that a reader was told is saved; reread does not start "
            f"on it.\n{mend}"
        )
