"""A model's training images, and the pictures and patients that a study shares with them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.training_images import TrainingImage


@dataclass(frozen=True)
class TrainingList:
    """The list a model version was registered with."""

    images: int
    list_sha256: str
    registered_at: datetime


@dataclass(frozen=True)
class Match:
    """One reason to doubt that a case is new.

    "training": its picture is one of the model's; "patient": its patient is; "twice": another
    case shows the same picture.
    """

    kind: Literal["training", "patient", "twice"]
    case_id: UUID
    case_code: str
    position: int | None  # of the image in its case; None for a patient
    synthetic: bool | None
    other_case_id: UUID | None
    other_case_code: str | None
    other_position: int | None
    other_synthetic: bool | None
    training_image: str | None
    split: str | None  # of the training image, or of all images of the patient
    same_file: bool | None
    distance: int | None  # bits of 64
    pictures: int | None  # of the patient among the training images
    line: str  # the match as it is hashed


@dataclass(frozen=True)
class Elsewhere:
    """An image that other studies of this installation hold too."""

    case_id: UUID
    case_code: str
    position: int
    synthetic: bool
    studies: int
    codes: list[str] | None  # of those the actor coordinates
    shared_readers: int


@dataclass(frozen=True)
class Acknowledgement:
    """A coordinator's word on the matches of a study."""

    matches: int
    matches_sha256: str
    reason: str
    author_name: str
    made_at: datetime


@dataclass(frozen=True)
class Comparable:
    """How much of a study can be compared."""

    images: int
    unmeasured_images: int  # imported before hashes were stored
    cases: int
    cases_without_patient: int
    patients_with_several_cases: int
    cases_of_these: int


def training_list(connection: Connection, model_version: UUID) -> TrainingList | None:
    """Return the list of a model version; None where it was registered without one."""
    return fetch_one(
        connection,
        TrainingList,
        """SELECT images, list_sha256, registered_at FROM training_list
           WHERE model_version_id = %s""",
        [model_version],
    )


def wait_for_other_workers(connection: Connection, model_version: UUID) -> None:
    """Let one worker at a time register a model version's list, until its transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(7004, hashtext(%s::text))", [str(model_version)]
    )


def insert_training_list(
    connection: Connection,
    *,
    model_version: UUID,
    digest: str,
    images: Collection[TrainingImage],
) -> None:
    """Store a list and its images in one transaction; the database checks the digest."""
    connection.execute(
        """INSERT INTO training_list (model_version_id, images, list_sha256)
           VALUES (%s, %s, %s)""",
        [model_version, len(images), digest],
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """COPY training_image
                   (model_version_id, image, split, sha256, perceptual_hash, patient_sha256)
               FROM STDIN"""
        ) as rows,
    ):
        for i in images:
            likeness = f"{i.perceptual_hash:064b}"
            rows.write_row((model_version, i.image, i.split, i.sha256, likeness, i.patient_sha256))


def matches_of(connection: Connection, study: UUID) -> list[Match]:
    """Return what a study shares with the training images of its model, and with itself."""
    return fetch_all(
        connection,
        Match,
        """SELECT m.kind, m.case_id, c.code AS case_code, i.position, i.synthetic,
               o.case_id AS other_case_id, oc.code AS other_case_code,
               o.position AS other_position, o.synthetic AS other_synthetic, m.training_image,
               m.split, m.same_file, m.distance, m.pictures, m.line
           FROM seen_before_in(%s) m JOIN study_case c ON c.id = m.case_id
           LEFT JOIN image i ON i.id = m.image_id
           LEFT JOIN image o ON o.id = m.other_image_id
           LEFT JOIN study_case oc ON oc.id = o.case_id
           ORDER BY c.code, i.position, m.distance, m.training_image""",
        [study],
    )


def elsewhere_of(connection: Connection, study: UUID) -> list[Elsewhere]:
    """Return the images of a study that other studies hold too."""
    return fetch_all(
        connection,
        Elsewhere,
        """SELECT c.id AS case_id, c.code AS case_code, i.position, i.synthetic, e.studies, e.codes,
               e.shared_readers
           FROM seen_elsewhere(%s) e JOIN image i ON i.id = e.image_id
           JOIN study_case c ON c.id = i.case_id ORDER BY c.code, i.position""",
        [study],
    )


def comparable_of(connection: Connection, study: UUID) -> Comparable:
    """Count what can be compared, and patients who are there in several cases."""
    found = fetch_one(
        connection,
        Comparable,
        """SELECT (SELECT count(*) FROM image WHERE study_id = s.id) AS images,
               (SELECT count(*) FROM image WHERE study_id = s.id AND perceptual_hash IS NULL)
                   AS unmeasured_images,
               (SELECT count(*) FROM study_case WHERE study_id = s.id) AS cases,
               (SELECT count(*) FROM study_case WHERE study_id = s.id AND patient_code IS NULL)
                   AS cases_without_patient,
               count(p.cases) AS patients_with_several_cases,
               coalesce(sum(p.cases), 0)::integer AS cases_of_these
           FROM study s LEFT JOIN LATERAL
               (SELECT count(*) AS cases FROM study_case c
                WHERE c.study_id = s.id AND c.patient_code IS NOT NULL
                GROUP BY c.patient_code HAVING count(*) > 1) p ON true
           WHERE s.id = %s GROUP BY s.id""",
        [study],
    )
    return found or Comparable(0, 0, 0, 0, 0, 0)


def acknowledgements_of(connection: Connection, study: UUID) -> list[Acknowledgement]:
    """Return what coordinators have said of a study's matches, newest first."""
    return fetch_all(
        connection,
        Acknowledgement,
        """SELECT k.matches, k.matches_sha256, k.reason, a.name AS author_name, k.made_at
           FROM seen_before_acknowledgement k JOIN account a ON a.id = k.author
           WHERE k.study_id = %s ORDER BY k.made_at DESC""",
        [study],
    )


def insert_acknowledgement(connection: Connection, *, study: UUID, digest: str, reason: str) -> int:
    """Store a coordinator's word; the database refuses when the matches are others by now."""
    return fetch_value(
        connection,
        """INSERT INTO seen_before_acknowledgement (study_id, matches_sha256, reason)
           VALUES (%s, %s, %s) RETURNING matches""",
        [study, digest, reason],
    )
