"""A study's log as its auditors read it, page by page."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.audit_chain import AuditEvent


@dataclass(frozen=True)
class AuditedStudy:
    """A study as its auditors see it."""

    id: UUID
    code: str
    title: str
    state: str
    demonstration: bool
    opened_at: datetime | None
    closed_at: datetime | None
    unblinded_at: datetime | None
    unblinding_reason: str | None
    data_sha256: str | None


@dataclass(frozen=True)
class LoggedEvent:
    """One event with the name of whoever acted, where it is a person of the study."""

    seq: int
    at: datetime
    actor_name: str | None
    database_role: str
    action: str
    entity: str
    payload: str
    hash: str


_STUDY = """SELECT id, code, title, state, demonstration, opened_at, closed_at, unblinded_at,
    unblinding_reason, data_sha256 FROM study """


def audited_studies(connection: Connection) -> list[AuditedStudy]:
    """Return the studies the connection's actor may audit."""
    return fetch_all(connection, AuditedStudy, _STUDY + "ORDER BY title")


def audited_study(connection: Connection, code: str) -> AuditedStudy | None:
    """Return one study the connection's actor may audit."""
    return fetch_one(connection, AuditedStudy, _STUDY + "WHERE code = %s", [code])


def events_before(
    connection: Connection, study: UUID, *, before: int, kind: str, most: int
) -> list[LoggedEvent]:
    """Return events with a number below `before`, newest first; `kind` is an action or ''."""
    return fetch_all(
        connection,
        LoggedEvent,
        """SELECT e.seq, e.at, a.name AS actor_name, e.database_role, e.action, e.entity,
               e.payload, e.hash
           FROM audit_event e LEFT JOIN account a ON a.id::text = e.actor
           WHERE e.chain = %s AND e.seq < %s AND (%s = '' OR e.action = %s)
           ORDER BY e.seq DESC LIMIT %s""",
        [study, before, kind, kind, most],
    )


def actions_of(connection: Connection, study: UUID) -> list[tuple[str, int]]:
    """Return every kind of event in the log and how many there are of it."""
    found = connection.execute(
        "SELECT action, count(*) FROM audit_event WHERE chain = %s GROUP BY 1 ORDER BY 1", [study]
    )
    return [(row[0], row[1]) for row in found]


def newest_number(connection: Connection, study: UUID) -> int:
    """Return the number of the log's last event."""
    return fetch_value(
        connection, "SELECT coalesce(max(seq), 0) FROM audit_event WHERE chain = %s", [study]
    )


def all_events(connection: Connection, study: UUID, *, up_to: int) -> Generator[AuditEvent]:
    """Give the log in its order, a few hundred events at a time."""
    with connection.cursor("log", row_factory=class_row(AuditEvent)) as cursor:
        cursor.itersize = 500
        yield from cursor.execute(
            "SELECT * FROM audit_event WHERE chain = %s AND seq <= %s ORDER BY seq", [study, up_to]
        )


def installation_events(
    connection: Connection, *, before: int, kind: str, most: int
) -> list[LoggedEvent]:
    """Return events of the installation's own log, newest first; the actor administers it."""
    return fetch_all(
        connection,
        LoggedEvent,
        """SELECT e.seq, e.at, a.name AS actor_name, e.database_role, e.action, e.entity,
               e.payload, e.hash
           FROM installation_log(%s, %s, %s) e LEFT JOIN account a ON a.id::text = e.actor
           ORDER BY e.seq DESC""",
        [before, kind, most],
    )


def installation_kinds(connection: Connection) -> list[tuple[str, int]]:
    """Return every kind of event in the installation's own log and how many there are of it."""
    found = connection.execute("SELECT action, count FROM installation_kinds()")
    return [(row[0], row[1]) for row in found]


def installation_chain(connection: Connection) -> list[AuditEvent]:
    """Return the installation's own log as a whole, in its order."""
    return fetch_all(
        connection, AuditEvent, "SELECT * FROM installation_log(%s, '', NULL) ORDER BY seq", [2**62]
    )


def record_look(connection: Connection, study: UUID, *, at_what: str) -> None:
    """Write down that the study's auditor looked."""
    connection.execute(
        "SELECT record_event(%s, 'audit.viewed', %s, %s)",
        [study, str(study), Jsonb({"page": at_what})],
    )
