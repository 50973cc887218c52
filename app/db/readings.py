"""The reader's side: assignments, served cases, locked calls, the released AI output."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.reading import (
    LockedCall,
    Phase,
    Questions,
    ReadingState,
    Submission,
    Viewing,
    state_of,
)
from app.domain.scores import Diagnosis
from app.domain.study_design import ConfidenceScale, Design, Purpose


@dataclass(frozen=True)
class ReaderStudy:
    """A study as one of its readers sees it."""

    id: UUID
    code: str
    title: str
    instructions: str
    state: str
    demonstration: bool
    design: Design
    washout_days: int
    confidence_scale: ConfidenceScale
    ask_management: bool
    ask_comment: bool
    log_zoom: bool
    cases_per_sitting: int | None
    order_sha256: str | None
    cases: int  # to be read: a case that comes twice counts twice, an excluded one not
    finished: int
    part_ended: bool  # by the coordinator: nothing more is recorded of this reader

    @property
    def is_read(self) -> bool:
        """Say whether the reader may lock calls in it now."""
        return self.state == "open" and not self.part_ended

    @property
    def questions(self) -> Questions:
        """Return what is asked beside the call."""
        return Questions(
            confidence_scale=self.confidence_scale,
            management=self.ask_management,
            comment=self.ask_comment,
            zoom=self.log_zoom,
        )


@dataclass(frozen=True)
class Assignment:
    """One case before one reader."""

    id: UUID
    study_id: UUID
    case_id: UUID
    position: int
    session: int
    purpose: Purpose
    served: bool
    unaided: bool
    revealed: bool
    aided: bool
    withheld: bool  # known once the unaided call is locked and committed; False before

    @property
    def state(self) -> ReadingState:
        """Return how far the reader is with it."""
        return state_of(
            served=self.served,
            unaided=self.unaided,
            revealed=self.revealed,
            aided=self.aided,
            withheld=self.withheld,
        )


@dataclass(frozen=True)
class CaseImage:
    """An image of a served case; its storage key never leaves the server."""

    position: int
    modality: str
    width: int
    height: int
    synthetic: bool
    storage_key: str
    mm_per_pixel: float | None


@dataclass(frozen=True)
class ImageAhead:
    """An image of the case that comes next, before its turn."""

    assignment_id: UUID
    image_position: int
    storage_key: str


@dataclass(frozen=True)
class ShownOverlay:
    """One row of what was released: the case's prediction and one image's overlay.

    None where the study does not show it; the threshold comes with probability and label.
    """

    call: Diagnosis | None
    probability: float | None
    model_name: str
    threshold: float | None
    map_scale: float | None
    map_rows: int | None
    map_columns: int | None
    demonstration: bool
    performance: dict[str, Any] | None  # the model's record on its test images
    image_position: int
    overlay_key: str | None


@dataclass(frozen=True)
class TrainingTruth:
    """The reference standard of a training case, given after its last lock."""

    diagnosis: Diagnosis
    source: str


# Excluded cases that were not finished are not to be read any more.
_READER_STUDY = """
    SELECT s.id, s.code, s.title, s.instructions, s.state, s.demonstration, s.design,
           s.washout_days, s.confidence_scale, s.ask_management, s.ask_comment, s.log_zoom,
           s.cases_per_sitting, l.order_sha256,
           (SELECT count(*) FROM assignment a WHERE a.enrolment_id = e.id)
           - (SELECT count(*) FROM assignment a
               JOIN standing_exclusion x ON x.case_id = a.case_id
               WHERE a.study_id = s.id AND a.reader_id = e.reader_id AND NOT EXISTS
                   (SELECT FROM reading WHERE assignment_id = a.id AND phase = 'aided')
               AND a.id NOT IN (SELECT withheld(s.id))) AS cases,
           (SELECT count(*) FROM reading r WHERE r.study_id = s.id AND r.reader_id = e.reader_id
                AND r.phase = 'aided') + (SELECT count(*) FROM withheld(s.id)) AS finished,
           coalesce((SELECT NOT m.active FROM membership m
               WHERE m.study_id = s.id AND m.account_id = e.reader_id AND m.role = 'reader'
               ORDER BY m.number DESC LIMIT 1), false) AS part_ended
    FROM enrolment e JOIN study s ON s.id = e.study_id
    LEFT JOIN allocation l ON l.enrolment_id = e.id
    WHERE e.reader_id = actor()
"""

_ASSIGNMENT = """
    SELECT a.id, a.study_id, a.case_id, a.position, a.session, a.purpose,
           EXISTS (SELECT FROM served WHERE assignment_id = a.id) AS served,
           EXISTS (SELECT FROM reading WHERE assignment_id = a.id AND phase = 'unaided') AS unaided,
           EXISTS (SELECT FROM reveal WHERE assignment_id = a.id) AS revealed,
           EXISTS (SELECT FROM reading WHERE assignment_id = a.id AND phase = 'aided') AS aided,
           a.id IN (SELECT withheld(a.study_id)) AS withheld
    FROM assignment a
"""


def reader_studies(connection: Connection) -> list[ReaderStudy]:
    """Return the studies the actor reads in."""
    return fetch_all(connection, ReaderStudy, _READER_STUDY + "ORDER BY s.title")


def reader_study(connection: Connection, code: str) -> ReaderStudy | None:
    """Return one study the actor reads in."""
    return fetch_one(connection, ReaderStudy, _READER_STUDY + "AND s.code = %s", [code])


def reader_study_by_id(connection: Connection, study: UUID) -> ReaderStudy | None:
    """Return one study the actor reads in."""
    return fetch_one(connection, ReaderStudy, _READER_STUDY + "AND s.id = %s", [study])


def current_assignment(connection: Connection, study: UUID) -> Assignment | None:
    """Return the first case of the actor's order that is neither finished nor excluded."""
    return fetch_one(
        connection,
        Assignment,
        _ASSIGNMENT
        + """WHERE a.study_id = %s AND a.reader_id = actor()
             AND NOT EXISTS (SELECT FROM reading WHERE assignment_id = a.id AND phase = 'aided')
             AND a.id NOT IN (SELECT withheld(%s))
             AND NOT EXISTS (SELECT FROM standing_exclusion x WHERE x.case_id = a.case_id)
             ORDER BY a.position LIMIT 1""",
        [study, study],
    )


def last_finished(connection: Connection, study: UUID) -> Assignment | None:
    """Return the case that the actor finished last."""
    return fetch_one(
        connection,
        Assignment,
        _ASSIGNMENT
        + """WHERE a.study_id = %s AND a.reader_id = actor()
             AND (EXISTS (SELECT FROM reading WHERE assignment_id = a.id AND phase = 'aided')
                  OR a.id IN (SELECT withheld(%s)))
             ORDER BY (SELECT max(locked_at) FROM reading WHERE assignment_id = a.id) DESC,
                 a.position DESC LIMIT 1""",
        [study, study],
    )


def waits_until(connection: Connection, assignment: UUID) -> datetime | None:
    """Return when the washout before this assignment ends; None when it need not wait."""
    return fetch_value(connection, "SELECT waits_until(%s)", [assignment])


def training_truth(connection: Connection, assignment: UUID) -> TrainingTruth | None:
    """Return the reference standard of a finished training case of the actor's; else None."""
    return fetch_one(
        connection,
        TrainingTruth,
        "SELECT diagnosis, source FROM training_truth(%s)",
        [assignment],
    )


def assignment_by_id(connection: Connection, assignment: UUID) -> Assignment | None:
    """Return an assignment of the actor's."""
    return fetch_one(
        connection,
        Assignment,
        _ASSIGNMENT + "WHERE a.id = %s AND a.reader_id = actor()",
        [assignment],
    )


def images_of(connection: Connection, case: UUID) -> list[CaseImage]:
    """Return a case's images; none before the case has been served to the actor."""
    return fetch_all(
        connection,
        CaseImage,
        """SELECT position, modality, width, height, synthetic, storage_key, mm_per_pixel
           FROM image WHERE case_id = %s ORDER BY position""",
        [case],
    )


def images_ahead(connection: Connection, study: UUID) -> list[ImageAhead]:
    """Return the images of the actor's next case, where they may be fetched before its turn."""
    return fetch_all(
        connection,
        ImageAhead,
        "SELECT assignment_id, image_position, storage_key FROM images_ahead(%s)",
        [study],
    )


def insert_served(connection: Connection, assignment: Assignment) -> None:
    """Record that a case was shown (t0); nothing happens when it already was."""
    connection.execute(
        """INSERT INTO served (assignment_id, study_id, reader_id) VALUES (%s, %s, actor())
           ON CONFLICT (assignment_id) DO NOTHING""",
        [assignment.id, assignment.study_id],
    )


def locked_call(connection: Connection, assignment: UUID, phase: Phase) -> LockedCall | None:
    """Return the locked call of a phase."""
    return fetch_one(
        connection,
        LockedCall,
        """SELECT phase, call, confidence, submission_id, locked_at, management, comment
           FROM reading
           WHERE assignment_id = %s AND phase = %s AND reader_id = actor()""",
        [assignment, phase],
    )


def insert_reading(
    connection: Connection, assignment: Assignment, phase: Phase, submission: Submission
) -> UUID | None:
    """Lock a call; None when one is locked already, or the submission id was used for another."""
    return fetch_value(
        connection,
        """INSERT INTO reading (assignment_id, study_id, reader_id, phase, call, confidence,
               submission_id, active_milliseconds, management, comment)
           VALUES (%s, %s, actor(), %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT DO NOTHING RETURNING id""",
        [
            assignment.id,
            assignment.study_id,
            phase,
            submission.call,
            submission.confidence,
            submission.submission_id,
            submission.active_milliseconds,
            submission.management,
            submission.comment,
        ],
    )


def insert_viewing(
    connection: Connection, reading: UUID, assignment: Assignment, viewing: Viewing
) -> None:
    """Write down beside a call, in its transaction, how the case was looked at."""
    connection.execute(
        """INSERT INTO viewing (reading_id, study_id, reader_id, map_milliseconds, greatest_zoom)
           VALUES (%s, %s, actor(), %s, %s)""",
        [reading, assignment.study_id, viewing.map_milliseconds, viewing.greatest_zoom],
    )


def release_ai(connection: Connection, assignment: UUID, *, software_version: str) -> None:
    """Release the AI output by the database's one road; raises Conflict before the lock."""
    connection.execute("SELECT reveal_ai(%s, %s)", [assignment, software_version])


def shown_ai(connection: Connection, assignment: UUID) -> list[ShownOverlay]:
    """Return what was released of a case: a row an image, none before the reveal."""
    return fetch_all(
        connection,
        ShownOverlay,
        """SELECT call, probability, model_name, threshold, map_scale, map_rows, map_columns,
               demonstration, performance, image_position, overlay_key
           FROM shown_ai(%s)""",
        [assignment],
    )
