"""Studies, their readers and how far they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.scores import Diagnosis
from app.domain.study_design import AnalysedReadings, Design, Purpose


@dataclass(frozen=True)
class Study:
    """A study as its coordinator sees it."""

    id: UUID
    code: str
    title: str
    instructions: str
    positive_class: Diagnosis
    state: str
    seed: int
    allocation_algorithm: str
    design: Design
    analysed_readings: AnalysedReadings
    model_version_id: UUID | None
    demonstration: bool
    opened_at: datetime | None
    closed_at: datetime | None
    unblinded_at: datetime | None
    unblinded_by_name: str | None
    unblinding_reason: str | None
    data_sha256: str | None


@dataclass(frozen=True)
class StudyCounts:
    """What a study holds: never a call, a probability or a diagnosis."""

    cases: int
    images: int
    synthetic_images: int
    scored_images: int
    scored_cases: int
    undiagnosed: int  # cases whose reference diagnosis an adjudicator has still to record


@dataclass(frozen=True)
class ReaderProgress:
    """How far a reader is: counted from assignments, so that it cannot be wrong."""

    reader_id: UUID
    name: str
    email: str
    simulated: bool
    enrolled_at: datetime
    order_sha256: str | None
    assigned: int
    unaided: int
    aided: int
    finished: int  # of assigned: an aided call, or an unaided one where the AI is withheld
    last_reading_at: datetime | None


@dataclass(frozen=True)
class ModelVersion:
    """A model as registered by a worker."""

    id: UUID
    name: str
    backbone: str
    weights_sha256: str
    preprocessing: str
    threshold: float
    map_scale: float
    map_rows: int
    map_columns: int
    demonstration: bool
    card: str
    registered_at: datetime
    performance: dict[str, Any] | None  # on its test images, where the model's folder records it


@dataclass(frozen=True)
class OpenInvitation:
    """An invitation as the coordinator's list shows it."""

    email: str
    role: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None


@dataclass(frozen=True)
class CaseRow:
    """A case as the coordinator's gallery shows it; the reference standard stays hidden."""

    id: UUID
    code: str
    purpose: Purpose
    excluded: str | None  # why it does not count any more
    waiting: bool  # imported while the study is open, and not added yet
    images: int
    scored: int
    reference_source: str | None  # None: no diagnosis is recorded yet
    synthetic: bool  # one of its images is generated


_STUDY = """
    SELECT s.id, s.code, s.title, s.instructions, s.positive_class, s.state, s.seed,
           s.allocation_algorithm, s.design, s.analysed_readings, s.model_version_id,
           s.demonstration, s.opened_at, s.closed_at, s.unblinded_at,
           a.name AS unblinded_by_name, s.unblinding_reason, s.data_sha256
    FROM study s LEFT JOIN account a ON a.id = s.unblinded_by
"""


def insert_study(
    connection: Connection,
    *,
    code: str,
    title: str,
    instructions: str,
    seed: int,
    algorithm: str,
    demonstration: bool,
    created_by: UUID,
) -> UUID | None:
    """Store a draft and make its creator the first coordinator; None when the code is taken."""
    study: UUID | None = fetch_value(
        connection,
        """INSERT INTO study (code, title, instructions, seed, allocation_algorithm,
               demonstration, created_by)
           VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (code) DO NOTHING RETURNING id""",
        [code, title, instructions, seed, algorithm, demonstration, created_by],
    )
    if study is not None:
        connection.execute("INSERT INTO coordinator VALUES (%s, %s)", [study, created_by])
    return study


def study_by_code(connection: Connection, code: str) -> Study | None:
    """Return a study the connection's actor may see."""
    return fetch_one(connection, Study, _STUDY + "WHERE s.code = %s", [code])


def all_studies(connection: Connection) -> list[Study]:
    """Return every study the connection's actor may see, newest first."""
    return fetch_all(connection, Study, _STUDY + "ORDER BY s.created_at DESC, s.code")


def blinded_source(connection: Connection, study: UUID) -> str | None:
    """Return the short name of the study that the cases were copied from, until it is unblinded.

    One that the actor does not coordinate is not seen, and counts as blinded.
    """
    return fetch_value(
        connection,
        """SELECT copied_from FROM study m WHERE id = %s AND NOT EXISTS
               (SELECT FROM study s WHERE s.code = m.copied_from AND s.state = 'unblinded')""",
        [study],
    )


def choose_model(connection: Connection, study: UUID, model_version: UUID) -> None:
    """Set the model version of a draft."""
    connection.execute(
        "UPDATE study SET model_version_id = %s WHERE id = %s", [model_version, study]
    )


def set_open(connection: Connection, study: UUID, *, by: UUID) -> None:
    """Open a draft; the database refuses when something is missing."""
    connection.execute("UPDATE study SET state = 'open', opened_by = %s WHERE id = %s", [by, study])


def set_closed(connection: Connection, study: UUID, *, by: UUID) -> None:
    """Close an open study."""
    connection.execute(
        "UPDATE study SET state = 'closed', closed_by = %s WHERE id = %s", [by, study]
    )


def set_unblinded(connection: Connection, study: UUID, *, by: UUID, reason: str) -> None:
    """Unblind a closed study; the database freezes and hashes the readings."""
    connection.execute(
        """UPDATE study SET state = 'unblinded', unblinded_by = %s, unblinding_reason = %s
           WHERE id = %s""",
        [by, reason, study],
    )


def counts_of(connection: Connection, study: UUID, *, waiting: bool = False) -> StudyCounts:
    """Count a study's cases, excluded ones left out, and what of them its model has scored.

    With `waiting` those of an open study that wait to be added, else those that are part of it.
    """
    found = fetch_one(
        connection,
        StudyCounts,
        """WITH included AS (SELECT c.id FROM study_case c WHERE c.study_id = %(study)s
               AND c.id NOT IN (SELECT case_id FROM standing_exclusion WHERE study_id = %(study)s)
               AND (c.addition > (SELECT count(*) FROM case_addition WHERE study_id = %(study)s))
                   = %(waiting)s),
           pictures AS (SELECT id, synthetic FROM image
               WHERE study_id = %(study)s AND case_id IN (SELECT id FROM included))
           SELECT (SELECT count(*) FROM included) AS cases,
               (SELECT count(*) FROM pictures) AS images,
               (SELECT count(*) FROM pictures WHERE synthetic) AS synthetic_images,
               (SELECT count(*) FROM prediction p WHERE p.study_id = s.id
                   AND p.model_version_id = s.model_version_id
                   AND p.image_id IN (SELECT id FROM pictures)) AS scored_images,
               (SELECT count(*) FROM case_prediction p WHERE p.study_id = s.id
                   AND p.model_version_id = s.model_version_id
                   AND p.case_id IN (SELECT id FROM included)) AS scored_cases,
               (SELECT count(*) FROM included WHERE id NOT IN
                   (SELECT case_id FROM reference_diagnosis WHERE study_id = %(study)s))
                   AS undiagnosed
           FROM study s WHERE s.id = %(study)s""",
        {"study": study, "waiting": waiting},
    )
    return found or StudyCounts(0, 0, 0, 0, 0, 0)


def progress_of(connection: Connection, study: UUID) -> list[ReaderProgress]:
    """Return every reader's progress, people before simulated readers; without excluded cases."""
    return fetch_all(
        connection,
        ReaderProgress,
        """SELECT e.reader_id, a.name, a.email, a.simulated, e.enrolled_at, l.order_sha256,
               (SELECT count(*) FROM assignment p WHERE p.enrolment_id = e.id AND p.case_id NOT IN
                   (SELECT case_id FROM standing_exclusion WHERE study_id = e.study_id))
                   AS assigned,
               count(r.id) FILTER (WHERE r.phase = 'unaided') AS unaided,
               count(r.id) FILTER (WHERE r.phase = 'aided') AS aided,
               count(r.id) FILTER (WHERE r.phase = 'aided' OR s.arm = 'without_ai') AS finished,
               max(r.locked_at) AS last_reading_at
           FROM enrolment e JOIN account a ON a.id = e.reader_id
           LEFT JOIN allocation l ON l.enrolment_id = e.id
           LEFT JOIN assignment s ON s.enrolment_id = e.id AND s.case_id NOT IN
               (SELECT case_id FROM standing_exclusion WHERE study_id = e.study_id)
           LEFT JOIN reading r ON r.assignment_id = s.id
           WHERE e.study_id = %s
           GROUP BY e.id, e.reader_id, a.name, a.email, a.simulated, e.enrolled_at,
               l.order_sha256
           ORDER BY a.simulated, a.name""",
        [study],
    )


def invitations_of(connection: Connection, study: UUID) -> list[OpenInvitation]:
    """Return the study's invitations, newest first."""
    return fetch_all(
        connection,
        OpenInvitation,
        """SELECT email, role, created_at, expires_at, accepted_at
           FROM invitation WHERE study_id = %s ORDER BY created_at DESC""",
        [study],
    )


def cases_of(connection: Connection, study: UUID) -> list[CaseRow]:
    """Return the study's cases with how many of their images are scored."""
    return fetch_all(
        connection,
        CaseRow,
        """SELECT c.id, c.code, c.purpose, x.reason AS excluded,
               c.addition > (SELECT count(*) FROM case_addition n WHERE n.study_id = c.study_id)
                   AS waiting, count(i.id) AS images,
               count(p.id) AS scored, r.source AS reference_source,
               bool_or(i.synthetic) AS synthetic
           FROM study_case c JOIN study s ON s.id = c.study_id
           LEFT JOIN reference_diagnosis r ON r.case_id = c.id
           JOIN image i ON i.case_id = c.id
           LEFT JOIN standing_exclusion y ON y.case_id = c.id
           LEFT JOIN case_exclusion x ON x.id = y.id
           LEFT JOIN prediction p ON p.image_id = i.id AND p.model_version_id = s.model_version_id
           WHERE c.study_id = %s GROUP BY c.id, c.code, r.source, x.reason ORDER BY c.code""",
        [study],
    )


_MODEL_VERSION = """
    SELECT id, name, backbone, weights_sha256, preprocessing, threshold, map_scale, map_rows,
           map_columns, demonstration, card, registered_at, performance
    FROM model_version
"""


def model_version(connection: Connection, version: UUID) -> ModelVersion | None:
    """Return a registered model version."""
    return fetch_one(connection, ModelVersion, _MODEL_VERSION + "WHERE id = %s", [version])


def model_versions(connection: Connection) -> list[ModelVersion]:
    """Return every registered model version, newest first."""
    return fetch_all(connection, ModelVersion, _MODEL_VERSION + "ORDER BY registered_at DESC")


# ------------------------------------------------------------------ enrolment and order


def enrol(connection: Connection, *, study: UUID, reader: UUID) -> UUID | None:
    """Enrol a reader; None when they already are."""
    return fetch_value(
        connection,
        """INSERT INTO enrolment (study_id, reader_id) VALUES (%s, %s)
           ON CONFLICT (study_id, reader_id) DO NOTHING RETURNING id""",
        [study, reader],
    )
