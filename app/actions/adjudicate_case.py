"""Record the reference standard of a case: the diagnosis, how it was made, and when."""

from datetime import date, datetime
from uuid import UUID

from app.db import adjudication
from app.db.session import Connection
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.scores import DIAGNOSES
from app.domain.sentences import said

LONGEST_SOURCE = 200


def find_adjudicated_study(connection: Connection, *, code: str) -> adjudication.AdjudicatedStudy:
    """Return a study the actor adjudicates; raises NotFound."""
    found = adjudication.adjudicated_study(connection, code)
    if found is None:
        raise NotFound(
            said('There is no study named "{code}" among those you adjudicate.', code=code)
        )
    return found


def record_diagnosis(
    connection: Connection,
    *,
    study: adjudication.AdjudicatedStudy,
    case: UUID,
    diagnosis: str,
    source: str,
    diagnosed_on: str,
    now: datetime,
    by: Account,
) -> None:
    """Record a diagnosis once, before the case can be read; it is not changed afterwards."""
    del by  # the connection's own actor
    if diagnosis not in DIAGNOSES:
        raise InvalidInput("Choose BCC or SK. Nothing was recorded.", field="diagnosis")
    source = " ".join(source.split())
    if not 1 <= len(source) <= LONGEST_SOURCE or not source.isprintable():
        raise InvalidInput(
            "Say how the diagnosis was made, for example: histopathology.", field="source"
        )
    made = adjudication.insert_diagnosis(
        connection,
        study=study.id,
        case=case,
        diagnosis=diagnosis,
        source=source,
        diagnosed_on=_date(diagnosed_on, now),
    )
    if not made:
        raise Conflict("This case has its diagnosis already, or is not there. Nothing was changed.")


def _date(text: str, now: datetime) -> date | None:
    if not text.strip():
        return None
    try:
        given = date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(
            "Give the date as year-month-day, for example 2026-03-31.", field="diagnosed_on"
        ) from None
    if not date(1900, 1, 1) <= given <= now.date():
        raise InvalidInput(
            "The date of the diagnosis lies between 1900 and today.", field="diagnosed_on"
        )
    return given
