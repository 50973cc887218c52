"""The reference standard as its adjudicators see it: cases, images, diagnoses; no reading."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one
from app.domain.scores import Diagnosis


@dataclass(frozen=True)
class AdjudicatedStudy:
    """A study as its adjudicators see it."""

    id: UUID
    code: str
    title: str
    state: str
    positive_class: Diagnosis
    demonstration: bool


@dataclass(frozen=True)
class AdjudicatedCase:
    """A case with its diagnosis, where one is recorded."""

    id: UUID
    code: str
    age: int | None
    sex: str | None
    anatomical_site: str | None
    images: int
    synthetic: bool
    diagnosis: Diagnosis | None
    source: str | None
    diagnosed_on: date | None
    recorded_at: datetime | None


_STUDY = "SELECT id, code, title, state, positive_class, demonstration FROM study "


def adjudicated_studies(connection: Connection) -> list[AdjudicatedStudy]:
    """Return the studies the actor adjudicates."""
    return fetch_all(connection, AdjudicatedStudy, _STUDY + "ORDER BY title")


def adjudicated_study(connection: Connection, code: str) -> AdjudicatedStudy | None:
    """Return one study the actor adjudicates."""
    return fetch_one(connection, AdjudicatedStudy, _STUDY + "WHERE code = %s", [code])


def adjudicated_cases(connection: Connection, study: UUID) -> list[AdjudicatedCase]:
    """Return the cases, those without a diagnosis first."""
    return fetch_all(
        connection,
        AdjudicatedCase,
        """SELECT c.id, c.code, c.age::int, c.sex, c.anatomical_site, count(i.id) AS images,
               coalesce(bool_or(i.synthetic), false) AS synthetic,
               r.diagnosis, r.source, r.diagnosed_on, r.recorded_at
           FROM study_case c LEFT JOIN image i ON i.case_id = c.id
           LEFT JOIN reference_diagnosis r ON r.case_id = c.id
           WHERE c.study_id = %s GROUP BY c.id, r.case_id
           ORDER BY (r.case_id IS NOT NULL), c.code""",
        [study],
    )


def insert_diagnosis(
    connection: Connection,
    *,
    study: UUID,
    case: UUID,
    diagnosis: str,
    source: str,
    diagnosed_on: date | None,
) -> bool:
    """Record a case's diagnosis in the actor's name; False when it has one already."""
    done = connection.execute(
        """INSERT INTO reference_diagnosis
               (case_id, study_id, diagnosis, source, diagnosed_on, recorded_by)
           SELECT id, study_id, %s, %s, %s, actor() FROM study_case
           WHERE id = %s AND study_id = %s ON CONFLICT (case_id) DO NOTHING""",
        [diagnosis, source, diagnosed_on, case, study],
    )
    return done.rowcount == 1
