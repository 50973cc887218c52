"""Connections to Postgres, one pool a role. The application owns none of the tables."""

import hmac
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock
from typing import Any, LiteralString, TypeVar
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow, class_row, scalar_row
from psycopg_pool import ConnectionPool, PoolTimeout

from app.domain.errors import (
    BrokenOff,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    Refusal,
    Unavailable,
)
from app.languages.elsewhere import recognised

Connection = psycopg.Connection[TupleRow]


class Role(StrEnum):
    """The database roles; each sees only what its users may (migrations, "rights")."""

    ACCOUNT = "reread_account"
    READER = "reread_reader"
    COORDINATOR = "reread_coordinator"
    ANALYST = "reread_analyst"
    WORKER = "reread_worker"
    ADJUDICATOR = "reread_adjudicator"
    AUDITOR = "reread_auditor"


_REFUSALS: dict[str, type[Refusal]] = {"RR403": NotAllowed, "RR404": NotFound, "RR409": Conflict}

# The server ends a transaction that idled; psycopg counts that among errors of a program.
_UNREACHABLE = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)
# Serialization, deadlock, and a server that is stopped, was killed or is not up yet.
_PASSING = {"40001", "40P01", "57P01", "57P02", "57P03"}

CONNECT = 5  # seconds for a server that does not answer at all
# A stuck lock or a forgotten transaction must not stop everybody else.
_SETTINGS: dict[LiteralString, LiteralString] = {
    # Temporary tables last: else one named like ours, left on a connection, stood in its place.
    "search_path": "reread, jobs, pg_temp",
    "timezone": "UTC",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "120s",
}
# Said anew in each transaction, and gone with it: behind a PgBouncer in transaction mode the next
# one may be on another connection, and options of a start-up are not passed on.
_PREPARE = "SELECT set_config('reread.actor', %s, true)" + "".join(
    f", set_config('{name}', '{value}', true)" for name, value in _SETTINGS.items()
)
# For what connects by itself and stays: the worker's queue.
_OPTIONS = " ".join(f"-c {name}={value.replace(' ', '')}" for name, value in _SETTINGS.items())


def role_password(secret: str, role: str) -> str:
    """Password of a database role, derived from REREAD_SECRET (HMAC-SHA-256)."""
    return hmac.new(secret.encode(), f"reread database role {role}".encode(), "sha256").hexdigest()


def role_conninfo(url: str, role: Role, *, secret: str | None, options: str = "") -> str:
    """Return the connection string of `url` with user and password of the role."""
    parts = {k: v for k, v in conninfo_to_dict(url).items() if k not in {"user", "password"}}
    password = {"password": role_password(secret, role)} if secret else {}
    parts.setdefault("connect_timeout", CONNECT)
    options = f"{parts.pop('options', '')} {options}".strip()
    return make_conninfo("", **parts, **password, user=str(role), options=options or None)


class Database:
    """Pools of connections by role, opened when first used.

    Nothing is kept on a connection between two transactions, so that `url` may lead to a PgBouncer
    in transaction mode; `prepares` is false there. `replica_url` is a read replica, for pages that
    may be some seconds behind.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | None,
        connections: int = 10,
        wait: float = 10,
        prepares: bool = True,
        replica_url: str | None = None,
    ) -> None:
        self.url = url
        self.wait = wait  # seconds until "busy" is said
        self._replica_url = replica_url or url
        self._secret = secret
        self.connections = connections
        self._prepares = prepares
        self._pools: dict[tuple[str, Role], ConnectionPool[Connection]] = {}
        self._lock = Lock()

    def conninfo(self, role: Role) -> str:
        """Return the connection string of a role, for what must connect by itself (the queue)."""
        return role_conninfo(self.url, role, secret=self._secret, options=_OPTIONS)

    @contextmanager
    def begin(self, role: Role, *, actor: UUID | None) -> Generator[Connection]:
        """One transaction as `role` on behalf of `actor`; commits at the end of the block.

        Raises the Refusal that the database's own rules ask for, at the statement or at the
        commit, and Unavailable when no connection is to be had.
        """
        with self._begin(self.url, role, actor) as connection:
            yield connection

    @contextmanager
    def begin_reading(self, role: Role, *, actor: UUID | None) -> Generator[Connection]:
        """Like `begin`, where nothing is written and what is read may be some seconds old.

        On the read replica where there is one. Never for a reader's page, nor where what is read
        decides what is released or written: a replica may not know of a lock yet, or still show
        what was open.
        """
        with self._begin(self._replica_url, role, actor) as connection:
            connection.execute("SET TRANSACTION READ ONLY")
            yield connection

    @contextmanager
    def _begin(self, url: str, role: Role, actor: UUID | None) -> Generator[Connection]:
        try:
            with self._pool(url, role).connection() as connection:
                connection.execute(_PREPARE, [str(actor) if actor else ""])
                yield connection
        except PoolTimeout as error:
            raise Unavailable("The database is busy. Nothing was saved; try again.") from error
        except _UNREACHABLE as error:
            kind = BrokenOff if _passes(error) else Unavailable
            raise kind("The database cannot be reached. Try again in a moment.") from error
        except psycopg.Error as error:
            raise _refusal(error) from error

    def why_not_connected(self, role: Role) -> str:
        """Say why the server lets this role in no more, by trying once; empty where it does."""
        try:
            psycopg.connect(role_conninfo(self.url, role, secret=self._secret)).close()
        except psycopg.OperationalError as error:
            return str(error)
        return ""

    def close(self) -> None:
        """Close every pool."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _pool(self, url: str, role: Role) -> ConnectionPool[Connection]:
        with self._lock:
            if (url, role) not in self._pools:
                self._pools[url, role] = ConnectionPool(
                    role_conninfo(url, role, secret=self._secret),
                    kwargs={} if self._prepares else {"prepare_threshold": None},
                    min_size=0,
                    max_size=self.connections,
                    timeout=self.wait,
                    # The pool's own pauses between tries double for five minutes; after two
                    # seconds it gives up, and the next request tries at once.
                    reconnect_timeout=2,
                    open=True,
                    check=ConnectionPool.check_connection,
                )
            return self._pools[url, role]


def _passes(error: psycopg.Error) -> bool:
    """Say whether another transaction, or the loss of the connection, ended this one."""
    state = error.sqlstate
    return state is None or state in _PASSING or state.startswith("08")


def _refusal(error: psycopg.Error) -> Exception:
    """Turn a refusal of the database's guards into ours; anything else is a bug and stays one."""
    if isinstance(error, psycopg.DataError) and "NUL" in str(error):
        return InvalidInput("Text cannot hold the character NUL. Nothing was saved.")
    kind = _REFUSALS.get(error.sqlstate or "")
    if kind is None:
        return error
    sentence = f"{error.diag.message_primary}."
    return kind(recognised(sentence) or sentence)  # with words for the states of a study


T = TypeVar("T")
Parameters = Sequence[object] | Mapping[str, object]


def fetch_all(
    connection: Connection,
    kind: type[T],
    query: LiteralString,
    parameters: Parameters | None = None,
) -> list[T]:
    """Rows of a query as dataclasses of `kind`, by column name."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, parameters).fetchall()


def fetch_stream(
    connection: Connection,
    kind: type[T],
    query: LiteralString,
    parameters: Parameters | None = None,
) -> Iterator[T]:
    """Rows of a query one after another, so that a large result never lies in memory whole.

    The rows come through a cursor of the transaction, which must stay open until the last one.
    """
    with connection.cursor(name=f"rows_{uuid4().hex}", row_factory=class_row(kind)) as cursor:
        cursor.itersize = 2000
        cursor.execute(query, parameters)
        yield from cursor


def fetch_one(
    connection: Connection,
    kind: type[T],
    query: LiteralString,
    parameters: Parameters | None = None,
) -> T | None:
    """Return the first row of a query as a dataclass of `kind`, or None."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, parameters).fetchone()


def fetch_value(
    connection: Connection,
    query: LiteralString | sql.Composed,
    parameters: Parameters | None = None,
) -> Any:  # noqa: ANN401 - one column of any type; callers name the type they expect
    """Return the first column of the first row, or None."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query, parameters).fetchone()
