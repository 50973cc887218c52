"""Additions of cases to an open study, and the cases that wait for the next one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.session import Connection, fetch_all


@dataclass(frozen=True)
class Addition:
    """Cases that became part of an open study together."""

    number: int  # 1, 2, ...
    cases: int
    reason: str
    author_name: str
    added_at: datetime


def additions_of(connection: Connection, study: UUID) -> list[Addition]:
    """Return the additions of a study, the first one first."""
    return fetch_all(
        connection,
        Addition,
        """SELECT n.number, n.cases, n.reason, a.name AS author_name, n.added_at
           FROM case_addition n JOIN account a ON a.id = n.author
           WHERE n.study_id = %s ORDER BY n.number""",
        [study],
    )


def insert_addition(connection: Connection, study: UUID, *, reason: str) -> None:
    """Make the waiting cases part of the study; the database writes number, author and time."""
    connection.execute(
        "INSERT INTO case_addition (study_id, reason) VALUES (%s, %s)", [study, reason]
    )
