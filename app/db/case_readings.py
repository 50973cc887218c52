"""Cases and locked readings as a coordinator may see them: steps and times, never a call."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one
from app.domain.study_design import Purpose


@dataclass(frozen=True)
class CaseDetail:
    """A case of a study, and how many of its readers have begun it."""

    id: UUID
    code: str
    purpose: Purpose
    excluded: str | None  # why it does not count any more
    drawn: bool  # whether it was part of the study when it was excluded, or is not excluded
    images: int
    synthetic: bool
    reference_source: str | None
    assigned: int  # places in readers' orders
    begun: int  # of these, shown to their reader


@dataclass(frozen=True)
class LockedReading:
    """A locked call without the call: whose it is, of which case, and when it was locked."""

    id: UUID
    reader_id: UUID
    reader_name: str
    simulated: bool
    case_id: UUID
    case_code: str
    position: int  # in the order that was drawn
    number: int  # as the reader saw it: one more than the cases finished when it was shown
    session: int
    occasion: int
    phase: Literal["unaided", "aided"]
    served_at: datetime
    locked_at: datetime
    active_milliseconds: int | None
    correction: Literal["void", "correct"] | None  # the newest


_LOCKED = """
    SELECT * FROM (SELECT r.id, r.reader_id, p.name AS reader_name, p.simulated, c.id AS case_id,
           c.code AS case_code, a.position,
           1 + (SELECT count(*) FROM reading d JOIN assignment b ON b.id = d.assignment_id
                WHERE b.enrolment_id = a.enrolment_id AND d.locked_at <= s.served_at
                AND d.phase = CASE b.arm WHEN 'with_ai' THEN 'aided' ELSE 'unaided' END) AS number,
           a.session, a.occasion, r.phase, s.served_at,
           r.locked_at, r.active_milliseconds,
           (SELECT k.kind FROM reading_correction k WHERE k.reading_id = r.id
            ORDER BY k.made_at DESC, k.id DESC LIMIT 1) AS correction
    FROM reading r JOIN assignment a ON a.id = r.assignment_id
    JOIN served s ON s.assignment_id = a.id JOIN study_case c ON c.id = a.case_id
    JOIN account p ON p.id = r.reader_id
    WHERE r.study_id = %(study)s) AS locked
"""


def case_detail(connection: Connection, study: UUID, case: UUID) -> CaseDetail | None:
    """Return a case of the study; None where it has no such case."""
    return fetch_one(
        connection,
        CaseDetail,
        """SELECT c.id, c.code, c.purpose, x.reason AS excluded,
               coalesce(x.made_at > CASE c.addition WHEN 0 THEN s.opened_at
                                    ELSE n.added_at END, true) AS drawn,
               (SELECT count(*) FROM image i WHERE i.case_id = c.id) AS images,
               EXISTS (SELECT FROM image i WHERE i.case_id = c.id AND i.synthetic) AS synthetic,
               d.source AS reference_source,
               (SELECT count(*) FROM assignment a WHERE a.case_id = c.id) AS assigned,
               (SELECT count(*) FROM assignment a JOIN served s ON s.assignment_id = a.id
                WHERE a.case_id = c.id) AS begun
           FROM study_case c JOIN study s ON s.id = c.study_id
           LEFT JOIN case_addition n ON n.study_id = c.study_id AND n.number = c.addition
           LEFT JOIN standing_exclusion y ON y.case_id = c.id
           LEFT JOIN case_exclusion x ON x.id = y.id
           LEFT JOIN reference_diagnosis d ON d.case_id = c.id
           WHERE c.study_id = %s AND c.id = %s""",
        [study, case],
    )


def readings_of_case(connection: Connection, study: UUID, case: UUID) -> list[LockedReading]:
    """Return the locked readings of a case, reader by reader."""
    return fetch_all(
        connection,
        LockedReading,
        _LOCKED
        + """WHERE case_id = %(case)s
             ORDER BY simulated, reader_name, position, locked_at""",
        {"study": study, "case": case},
    )


def readings_at(
    connection: Connection, study: UUID, reader: UUID, number: int
) -> list[LockedReading]:
    """Return the locked readings of the case that the reader saw as this number: two at most."""
    return fetch_all(
        connection,
        LockedReading,
        _LOCKED
        + """WHERE reader_id = %(reader)s AND number = %(number)s
             ORDER BY position, locked_at""",
        {"study": study, "reader": reader, "number": number},
    )


def locked_reading(connection: Connection, study: UUID, reading: UUID) -> LockedReading | None:
    """Return one locked reading of the study; None where it has no such reading."""
    return fetch_one(
        connection,
        LockedReading,
        _LOCKED + "WHERE id = %(reading)s",
        {"study": study, "reading": reading},
    )
