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

from app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound, Refusal, Unavailable

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

# A stuck lock or a forgotten transaction must not stop everybody else.
_OPTIONS = (
    "-c search_path=reread,jobs -c timezone=UTC -c lock_timeout=10s "
    "-c statement_timeout=60s -c idle_in_transaction_session_timeout=120s"
)


def role_password(secret: str, role: str) -> str:
    """Password of a database role, derived from REREAD_SECRET (HMAC-SHA-256)."""
    return hmac.new(secret.encode(), f"reread database role {role}".encode(), "sha256").hexdigest()


def role_conninfo(url: str, role: Role, *, secret: str | None) -> str:
    """Return the connection string of `url` with user and password of the role."""
    parts = {k: v for k, v in conninfo_to_dict(url).items() if k not in {"user", "password"}}
    password = {"password": role_password(secret, role)} if secret else {}
    return make_conninfo("", **parts, **password, user=str(role), options=_OPTIONS)


class Database:
    """Pools of connections by role, opened when first used."""

    def __init__(self, url: str, *, secret: str | None, connections: int = 10) -> None:
        self.url = url
        self._secret = secret
        self._size = connections
        self._pools: dict[Role, ConnectionPool[Connection]] = {}
        self._lock = Lock()

    def conninfo(self, role: Role) -> str:
        """Return the connection string of a role, for what must connect by itself (the queue)."""
        return role_conninfo(self.url, role, secret=self._secret)

    @contextmanager
    def begin(self, role: Role, *, actor: UUID | None) -> Generator[Connection]:
        """One transaction as `role` on behalf of `actor`; commits at the end of the block.

        Raises the Refusal that the database's own rules ask for, at the statement or at the
        commit, and Unavailable when no connection is to be had.
        """
        try:
            with self._pool(role).connection() as connection:
                connection.execute(
                    "SELECT set_config('reread.actor', %s, true)", [str(actor) if actor else ""]
                )
                yield connection
        except PoolTimeout as error:
            raise Unavailable("The database is busy. Nothing was saved; try again.") from error
        except psycopg.OperationalError as error:
            raise Unavailable("The database cannot be reached. Try again in a moment.") from error
        except psycopg.Error as error:
            raise _refusal(error) from error

    def close(self) -> None:
        """Close every pool."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _pool(self, role: Role) -> ConnectionPool[Connection]:
        with self._lock:
            if role not in self._pools:
                self._pools[role] = ConnectionPool(
                    self.conninfo(role),
                    min_size=0,
                    max_size=self._size,
                    timeout=10,
                    open=True,
                    check=ConnectionPool.check_connection,
                )
            return self._pools[role]


def _refusal(error: psycopg.Error) -> Exception:
    """Turn a refusal of the database's guards into ours; anything else is a bug and stays one."""
    if isinstance(error, psycopg.DataError) and "NUL" in str(error):
        return InvalidInput("Text cannot hold the character NUL. Nothing was saved.")
    kind = _REFUSALS.get(error.sqlstate or "")
    return kind(f"{error.diag.message_primary}.") if kind else error


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
