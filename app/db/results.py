"""What an unblinded study yields: readings with truth and AI output, and its chain of events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.session import Connection, fetch_all, fetch_stream, fetch_value
from app.domain.audit_chain import AuditEvent
from app.domain.scores import Diagnosis
from app.domain.study_design import Arm, Management, Purpose


@dataclass(frozen=True)
class ExportedReading:
    """One locked call with everything around it; AI output only of a case with AI.

    `call` and `confidence` are as locked; `correction` is the newest, if there is any.
    """

    reader: int  # 1, 2, ... in the order of enrolment
    simulated: bool
    case_code: str
    truth: Diagnosis
    reference_source: str
    phase: str
    call: Diagnosis
    confidence: int
    position: int
    served_at: datetime
    locked_at: datetime
    revealed_at: datetime | None
    active_milliseconds: int | None
    model_name: str | None
    weights_sha256: str | None
    ai_probability: float | None
    ai_call: Diagnosis | None
    reading_id: UUID
    arm: Arm
    session: int
    occasion: int
    purpose: Purpose
    management: Management | None
    comment: str | None
    protocol_version: int | None
    excluded: bool
    correction: Literal["void", "correct"] | None
    corrected_call: Diagnosis | None
    corrected_confidence: int | None
    corrected_management: Management | None  # None too where a correction left it as it was


@dataclass(frozen=True)
class ReaderName:
    """Who a reader of the export is; names stay out of files."""

    number: int
    name: str
    simulated: bool


@dataclass(frozen=True)
class ReferenceSource:
    """How many cases of a diagnosis have their reference standard from this source."""

    diagnosis: Diagnosis
    source: str
    cases: int


@dataclass(frozen=True)
class CaseCharacteristics:
    """What was imported with a case; None or empty where it is not known."""

    code: str
    truth: Diagnosis
    reference_source: str
    age: Decimal | None
    sex: str | None
    anatomical_site: str | None
    fitzpatrick: str | None


_READERS = """
    SELECT e.reader_id, a.name, a.simulated,
           row_number() OVER (ORDER BY e.enrolled_at, e.id) AS number
    FROM enrolment e JOIN account a ON a.id = e.reader_id WHERE e.study_id = %(study)s
"""


def reader_names(connection: Connection, study: UUID) -> list[ReaderName]:
    """Return the study's readers with their numbers in the export."""
    return fetch_all(
        connection,
        ReaderName,
        "SELECT number, name, simulated FROM (" + _READERS + ") r ORDER BY number",
        {"study": study},
    )


def reference_sources(connection: Connection, study: UUID) -> list[ReferenceSource]:
    """Return how the reference standard of an unblinded study was made."""
    return fetch_all(
        connection,
        ReferenceSource,
        """SELECT diagnosis, source, count(*) AS cases FROM reference_diagnosis
           WHERE study_id = %s GROUP BY diagnosis, source ORDER BY diagnosis, cases DESC, source""",
        [study],
    )


def case_characteristics(connection: Connection, study: UUID) -> list[CaseCharacteristics]:
    """Return what is known of each case of an unblinded study, by its code."""
    return fetch_all(
        connection,
        CaseCharacteristics,
        """SELECT c.code, d.diagnosis AS truth, d.source AS reference_source, c.age, c.sex,
                  c.anatomical_site, c.fitzpatrick
           FROM study_case c JOIN reference_diagnosis d ON d.case_id = c.id
           WHERE c.study_id = %s ORDER BY c.code""",
        [study],
    )


def expected_readings(connection: Connection, study: UUID) -> int:
    """Count the readings that count once every reader of an unblinded study has read every case.

    Before and after the AI each is one where both count (sequential, hidden share); a case without
    AI, and any case of a crossover or of parallel arms, has one. Repeats are among them.
    """
    return fetch_value(
        connection,
        """SELECT coalesce(sum(CASE WHEN a.arm = 'with_ai'
                                    AND s.design IN ('sequential', 'hidden_share') THEN 2
                               ELSE 1 END), 0)
           FROM assignment a JOIN study s ON s.id = a.study_id
           WHERE a.study_id = %s AND a.purpose = 'counted'
           AND NOT EXISTS (SELECT FROM standing_exclusion x WHERE x.case_id = a.case_id)""",
        [study],
    )


def exported_readings(connection: Connection, study: UUID) -> list[ExportedReading]:
    """Return every reading of an unblinded study, by reader, position and phase."""
    return fetch_all(
        connection,
        ExportedReading,
        "WITH readers AS ("
        + _READERS
        + """)
        SELECT n.number AS reader, n.simulated, c.code AS case_code, d.diagnosis AS truth,
               d.source AS reference_source, r.phase, r.call, r.confidence, a.position,
               s.served_at, r.locked_at, v.revealed_at, r.active_milliseconds,
               m.name AS model_name, m.weights_sha256, p.probability AS ai_probability,
               p.call AS ai_call, r.id AS reading_id, a.arm, a.session, a.occasion, a.purpose,
               r.management, r.comment, r.protocol_version, x.case_id IS NOT NULL AS excluded,
               k.kind AS correction, k.call AS corrected_call,
               k.confidence AS corrected_confidence, k.management AS corrected_management
        FROM reading r
        JOIN readers n ON n.reader_id = r.reader_id
        JOIN assignment a ON a.id = r.assignment_id
        JOIN served s ON s.assignment_id = a.id
        JOIN study_case c ON c.id = a.case_id
        JOIN reference_diagnosis d ON d.case_id = a.case_id
        LEFT JOIN reveal v ON v.assignment_id = a.id AND r.phase = 'aided'
        LEFT JOIN case_prediction p ON p.id = v.case_prediction_id
        LEFT JOIN model_version m ON m.id = p.model_version_id
        LEFT JOIN standing_exclusion x ON x.case_id = a.case_id
        LEFT JOIN LATERAL (SELECT * FROM reading_correction k WHERE k.reading_id = r.id
                           ORDER BY k.made_at DESC, k.id DESC LIMIT 1) k ON true
        WHERE r.study_id = %(study)s
        ORDER BY n.number, a.position, r.phase DESC""",
        {"study": study},
    )


def chain_until(connection: Connection, study: UUID, *, last: int) -> Iterator[AuditEvent]:
    """Give the study's events in order, up to the one numbered `last`."""
    return fetch_stream(
        connection,
        AuditEvent,
        "SELECT * FROM audit_event WHERE chain = %s AND seq <= %s ORDER BY seq",
        [study, last],
    )


def record_event(
    connection: Connection, *, study: UUID, action: str, details: dict[str, object]
) -> None:
    """Append an event for an act that changes no table: a look at results, an export."""
    connection.execute(
        "SELECT record_event(%s, %s, %s, %s)", [study, action, str(study), Jsonb(details)]
    )


def current_data_sha256(connection: Connection, study: UUID) -> str:
    """Digest the readings as the database did at unblinding, to compare with what was frozen."""
    return fetch_value(connection, "SELECT data_digest(%s)", [study])
