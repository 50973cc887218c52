"""What leaves with an unblinded study beside its readings: cases, predictions, orders, readers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_stream, fetch_value
from app.domain.audit_chain import AuditEvent
from app.domain.scores import Diagnosis
from app.domain.study_design import Arm


@dataclass(frozen=True)
class ExportedCase:
    """A case with its demographics and its reference standard."""

    code: str
    truth: Diagnosis
    source: str
    recorded_at: datetime
    patient_code: str | None
    lesion_code: str | None
    age: Decimal | None
    sex: str | None
    anatomical_site: str | None
    fitzpatrick: str | None
    images: int
    synthetic: bool
    imported_at: datetime
    addition: int


@dataclass(frozen=True)
class ExportedPrediction:
    """The output of a model for an image, or for a case (then `position` is None)."""

    code: str
    position: int | None
    modality: str | None
    image_sha256: str | None
    model_version_id: UUID
    model_name: str
    weights_sha256: str
    probability: float
    call: Diagnosis | None
    overlay_key: str | None
    overlay_sha256: str | None
    device: str | None
    predicted_at: datetime


@dataclass(frozen=True)
class ExportedPlace:
    """The place of a case in a reader's order."""

    reader: int
    position: int
    code: str
    arm: Arm
    session: int
    occasion: int


@dataclass(frozen=True)
class ExportedReader:
    """A reader under the number that every file uses, with the order drawn for them."""

    reader: int
    reader_id: UUID
    simulated: bool
    enrolled_at: datetime
    seed: int | None
    algorithm: str | None
    order_sha256: str | None
    assigned: int
    unaided: int
    aided: int
    years_experience: int | None
    specialty: str | None
    training: str | None


@dataclass(frozen=True)
class ExportedViewing:
    """For how long the map lay open, and how far an image was enlarged, as the browser said."""

    reader: int
    code: str
    phase: str
    session: int
    occasion: int
    reading_id: UUID
    map_milliseconds: int | None
    greatest_zoom: float | None


@dataclass(frozen=True)
class LoggedExport:
    """An export that the log already holds: its event's number."""

    seq: int


def allow_long_work(connection: Connection) -> None:
    """Let this transaction stand still while results and figures are computed, up to half an hour.

    Others end after two minutes without a statement, which a slow machine needs for a large study.
    """
    connection.execute("SET LOCAL idle_in_transaction_session_timeout = '30min'")


def exported_cases(connection: Connection, study: UUID) -> Iterator[ExportedCase]:
    """Give every case of an unblinded study, by code (in the order of its bytes)."""
    return fetch_stream(
        connection,
        ExportedCase,
        """SELECT c.code, d.diagnosis AS truth, d.source, d.recorded_at, c.patient_code,
               c.lesion_code, c.age, c.sex, c.anatomical_site, c.fitzpatrick,
               count(i.id) AS images, bool_or(i.synthetic) AS synthetic, c.imported_at,
               c.addition
           FROM study_case c JOIN reference_diagnosis d ON d.case_id = c.id
           JOIN image i ON i.case_id = c.id
           WHERE c.study_id = %s GROUP BY c.id, d.case_id ORDER BY c.code COLLATE "C" """,
        [study],
    )


def exported_predictions(connection: Connection, study: UUID) -> Iterator[ExportedPrediction]:
    """Give the models' output for every image and case: by case, image, model and time."""
    return fetch_stream(
        connection,
        ExportedPrediction,
        """SELECT c.code, q.position, q.modality, q.image_sha256, q.model_version_id,
               m.name AS model_name, m.weights_sha256, q.probability, q.call, q.overlay_key,
               q.overlay_sha256, q.device, q.predicted_at
           FROM (SELECT i.case_id, i.position, i.modality, i.sha256 AS image_sha256,
                     p.model_version_id, p.probability, NULL AS call, p.overlay_key,
                     p.overlay_sha256, p.device, p.predicted_at
                 FROM prediction p JOIN image i ON i.id = p.image_id WHERE p.study_id = %(study)s
                 UNION ALL
                 SELECT p.case_id, NULL, NULL, NULL, p.model_version_id, p.probability, p.call,
                     NULL, NULL, NULL, p.predicted_at
                 FROM case_prediction p WHERE p.study_id = %(study)s) q
           JOIN study_case c ON c.id = q.case_id JOIN model_version m ON m.id = q.model_version_id
           ORDER BY c.code COLLATE "C", q.position NULLS LAST, q.model_version_id""",
        {"study": study},
    )


_READERS = """
    SELECT e.id AS enrolment_id, e.reader_id, a.simulated, e.enrolled_at,
           row_number() OVER (ORDER BY e.enrolled_at, e.id) AS reader
    FROM enrolment e JOIN account a ON a.id = e.reader_id WHERE e.study_id = %(study)s
"""


def exported_order(connection: Connection, study: UUID) -> Iterator[ExportedPlace]:
    """Give every reader's order, by reader and position."""
    return fetch_stream(
        connection,
        ExportedPlace,
        "WITH readers AS ("
        + _READERS
        + """)
        SELECT r.reader, a.position, c.code, a.arm, a.session, a.occasion FROM assignment a
        JOIN readers r ON r.enrolment_id = a.enrolment_id JOIN study_case c ON c.id = a.case_id
        ORDER BY r.reader, a.position""",
        {"study": study},
    )


def exported_readers(connection: Connection, study: UUID) -> list[ExportedReader]:
    """Return every reader of the study, those without an order or a reading too."""
    return fetch_all(
        connection,
        ExportedReader,
        "WITH readers AS ("
        + _READERS
        + """)
        SELECT r.reader, r.reader_id, r.simulated, r.enrolled_at, l.seed, l.algorithm,
               l.order_sha256, (SELECT count(*) FROM assignment a
                   WHERE a.enrolment_id = r.enrolment_id) AS assigned,
               count(g.id) FILTER (WHERE g.phase = 'unaided') AS unaided,
               count(g.id) FILTER (WHERE g.phase = 'aided') AS aided,
               f.years_experience, f.specialty, f.training
        FROM readers r LEFT JOIN allocation l ON l.enrolment_id = r.enrolment_id
        LEFT JOIN reading g ON g.study_id = %(study)s AND g.reader_id = r.reader_id
        LEFT JOIN (SELECT DISTINCT ON (reader_id) * FROM reader_profile WHERE study_id = %(study)s
                   ORDER BY reader_id, number DESC) f ON f.reader_id = r.reader_id
        GROUP BY r.reader, r.reader_id, r.enrolment_id, r.simulated, r.enrolled_at,
            l.enrolment_id, f.years_experience, f.specialty, f.training
        ORDER BY r.reader""",
        {"study": study},
    )


def exported_viewing(connection: Connection, study: UUID) -> Iterator[ExportedViewing]:
    """Give what browsers said of how cases were looked at, by reader, position and phase."""
    return fetch_stream(
        connection,
        ExportedViewing,
        "WITH readers AS ("
        + _READERS
        + """)
        SELECT r.reader, c.code, g.phase, a.session, a.occasion, v.reading_id,
               v.map_milliseconds, v.greatest_zoom
        FROM viewing v JOIN reading g ON g.id = v.reading_id
        JOIN assignment a ON a.id = g.assignment_id JOIN readers r ON r.reader_id = g.reader_id
        JOIN study_case c ON c.id = a.case_id
        WHERE v.study_id = %(study)s ORDER BY r.reader, a.position, g.phase DESC""",
        {"study": study},
    )


def study_as_json(connection: Connection, study: UUID) -> str:
    """Return the study's own row as the log writes it."""
    return fetch_value(connection, "SELECT to_jsonb(s)::text FROM study s WHERE id = %s", [study])


def models_as_json(connection: Connection, study: UUID) -> list[str]:
    """Return the rows of the models that have output in this study, as JSON."""
    found = connection.execute(
        """SELECT to_jsonb(m)::text FROM model_version m WHERE m.id IN
               (SELECT model_version_id FROM case_prediction WHERE study_id = %s) ORDER BY m.id""",
        [study],
    )
    return [row[0] for row in found]


def logged(connection: Connection, study: UUID, *, actions: tuple[str, ...]) -> list[AuditEvent]:
    """Return the study's events of some kinds, in order."""
    return fetch_all(
        connection,
        AuditEvent,
        "SELECT * FROM audit_event WHERE chain = %s AND action = ANY(%s) ORDER BY seq",
        [study, list(actions)],
    )


def export_of(connection: Connection, study: UUID, *, files: str) -> int | None:
    """Return the number of the event that first wrote these files' digests down, if any."""
    found = fetch_one(
        connection,
        LoggedExport,
        """SELECT seq FROM audit_event WHERE chain = %s AND action = 'export.made'
           AND payload::jsonb ->> 'files_sha256' = %s AND payload::jsonb ? 'files'
           ORDER BY seq LIMIT 1""",
        [study, files],
    )
    return found.seq if found else None
