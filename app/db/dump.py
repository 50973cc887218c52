"""The whole database out and in again, by the pg_dump and pg_restore of the embedded PostgreSQL."""

import os
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.db.embedded import PROGRAMS
from app.db.session import Connection, fetch_all, fetch_value
from app.domain.errors import Unavailable

_CHUNK = 1 << 20
_OPTIONS = "-c search_path=reread -c timezone=UTC"
# Whoever signed out after the backup must not be signed in again by a restore.
_WITHOUT_ROWS = "reread.sign_in_session"
# It belongs to whoever administers the server, by whatever name; its one row is in the manifest.
_WITHOUT = "reread.alembic_version"


@dataclass(frozen=True)
class ChainHead:
    """The last event of a log: a study's, or the installation's own (study None)."""

    chain: UUID
    study: str | None
    seq: int
    hash: str


@dataclass(frozen=True)
class FileRow:
    """A file in the storage, as a row of the database names it."""

    key: str
    sha256: str


@dataclass(frozen=True)
class OwnRole:
    """A role of the application in the server; passwords derive from REREAD_SECRET."""

    name: str
    login: bool


@dataclass(frozen=True)
class Moment:
    """One moment of the database, which the dump and everything said beside it are of."""

    snapshot: str
    revision: str
    heads: list[ChainHead]
    files: list[FileRow]
    roles: list[OwnRole]


@contextmanager
def one_moment(administrator_url: str) -> Generator[Moment]:
    """Hold one moment of the database, while readers go on."""
    with psycopg.connect(administrator_url, options=_OPTIONS) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield Moment(
            snapshot=fetch_value(connection, "SELECT pg_export_snapshot()"),
            revision=fetch_value(connection, "SELECT version_num FROM alembic_version"),
            heads=_heads(connection),
            files=fetch_all(
                connection,
                FileRow,
                """SELECT storage_key AS key, sha256 FROM image
                   UNION ALL SELECT overlay_key, overlay_sha256 FROM prediction ORDER BY 1""",
            ),
            roles=fetch_all(
                connection,
                OwnRole,
                r"""SELECT rolname AS name, rolcanlogin AS login FROM pg_roles
                    WHERE rolname LIKE 'reread\_%' AND NOT rolsuper ORDER BY 1""",
            ),
        )


def heads_of(administrator_url: str) -> list[ChainHead]:
    """Return the head of every log in the database."""
    with psycopg.connect(administrator_url, options=_OPTIONS) as connection:
        return _heads(connection)


def _heads(connection: Connection) -> list[ChainHead]:
    return fetch_all(
        connection,
        ChainHead,
        """SELECT DISTINCT ON (e.chain) e.chain, s.code AS study, e.seq, e.hash
           FROM audit_event e LEFT JOIN study s ON s.id = e.chain ORDER BY e.chain, e.seq DESC""",
    )


def dump(administrator_url: str, moment: Moment) -> Iterator[bytes]:
    """Give the dump of that moment in pg_dump's custom format; raises Unavailable."""
    options = [
        "--format=custom",
        f"--snapshot={moment.snapshot}",
        f"--exclude-table={_WITHOUT}",
        f"--exclude-table-data={_WITHOUT_ROWS}",
    ]
    with _program("pg_dump", administrator_url, options, stdout=subprocess.PIPE) as running:
        if running.stdout is not None:
            yield from iter(lambda: running.stdout.read(_CHUNK) if running.stdout else b"", b"")


def is_empty(administrator_url: str) -> bool:
    """Say whether nothing of ours is in the database yet."""
    with psycopg.connect(administrator_url) as connection:
        found = fetch_value(
            connection,
            "SELECT count(*) FROM pg_namespace WHERE nspname IN ('reread', 'jobs')",
        )
    return found == 0


def load(administrator_url: str, path: Path, roles: list[OwnRole]) -> None:
    """Make the roles that are missing and load a dump: all of it, or Unavailable and nothing."""
    with psycopg.connect(administrator_url) as connection:
        for role in roles:
            there = connection.execute(
                "SELECT FROM pg_roles WHERE rolname = %s", [role.name]
            ).fetchone()
            if there is None:
                kind = sql.SQL("LOGIN" if role.login else "NOLOGIN")
                connection.execute(
                    sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role.name), kind)
                )
    options = ["--exit-on-error", "--single-transaction", str(path)]
    with _program("pg_restore", administrator_url, options, stdout=None):
        pass


@contextmanager
def _program(
    name: str, administrator_url: str, options: list[str], *, stdout: int | None
) -> Generator[subprocess.Popen[bytes]]:
    """Run one of the server's programs; raises Unavailable with what it said when it fails."""
    parts = conninfo_to_dict(administrator_url)
    password = parts.pop("password", None)  # not on the command line, where everybody sees it
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    running = subprocess.Popen(  # noqa: S603 - the programs of the embedded PostgreSQL
        [str(PROGRAMS / name), f"--dbname={make_conninfo('', **parts)}", *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    try:
        yield running
        said = running.communicate()[1]
    except BaseException:
        running.kill()
        running.communicate()
        raise
    if running.returncode:
        raise Unavailable(f"{name} failed: {said.decode(errors='replace').strip()[-1000:]}")
