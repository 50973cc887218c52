"""Cases, images and reference standard as they are imported; images as the worker needs them."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_value
from app.domain.image_quality import ImageQuality
from app.domain.study_design import Purpose


@dataclass(frozen=True)
class NewImage:
    """A cleaned image, stored under its random key; `sha256` is of what is stored."""

    modality: str
    storage_key: str
    sha256: str
    width: int
    height: int
    synthetic: bool
    file_sha256: str  # of the file as delivered
    perceptual_hash: int  # 64 bits
    quality: ImageQuality
    mm_per_pixel: float | None = None


@dataclass(frozen=True)
class NewCase:
    """A case to insert with its images and reference diagnosis; None where not known."""

    code: str
    patient_code: str | None
    lesion_code: str | None
    age: int | None
    sex: str | None
    anatomical_site: str | None
    fitzpatrick: str | None
    diagnosis: str | None  # None: an adjudicator records it
    diagnosis_source: str
    purpose: Purpose
    images: list[NewImage]


@dataclass(frozen=True)
class StoredImage:
    """Where an image lies."""

    id: UUID
    study_id: UUID
    case_id: UUID
    storage_key: str


def first_case(connection: Connection, study: UUID) -> UUID | None:
    """Return the case that stands first by its code; None where there is none yet."""
    return fetch_value(
        connection,
        "SELECT id FROM study_case WHERE study_id = %s ORDER BY code LIMIT 1",
        [study],
    )


def number_of(connection: Connection, study: UUID, *, purpose: Purpose) -> int:
    """Count a study's cases for a purpose, excluded ones left out."""
    return fetch_value(
        connection,
        """SELECT count(*) FROM study_case c WHERE study_id = %s AND purpose = %s
           AND NOT EXISTS (SELECT FROM standing_exclusion x WHERE x.case_id = c.id)""",
        [study, purpose],
    )


def known_codes(connection: Connection, study: UUID) -> set[str]:
    """Return the case codes a study has."""
    found = connection.execute("SELECT code FROM study_case WHERE study_id = %s", [study])
    return {row[0] for row in found}


def known_pictures(connection: Connection, study: UUID) -> dict[str, str]:
    """Return SHA-256 of the stored image -> case code, for the study's images."""
    found = connection.execute(
        """SELECT i.sha256, c.code FROM image i JOIN study_case c ON c.id = i.case_id
           WHERE i.study_id = %s""",
        [study],
    )
    return {row[0]: row[1] for row in found}


def insert_case(connection: Connection, case: NewCase, *, study: UUID, by: UUID) -> None:
    """Store a case, its images and its reference diagnosis, where there is one."""
    case_id: UUID = fetch_value(
        connection,
        """INSERT INTO study_case (study_id, code, patient_code, lesion_code, age, sex,
               anatomical_site, fitzpatrick, purpose)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        [
            study,
            case.code,
            case.patient_code,
            case.lesion_code,
            case.age,
            case.sex,
            case.anatomical_site,
            case.fitzpatrick,
            case.purpose,
        ],
    )
    if case.diagnosis is not None:
        connection.execute(
            """INSERT INTO reference_diagnosis (case_id, study_id, diagnosis, source, recorded_by)
               VALUES (%s, %s, %s, %s, %s)""",
            [case_id, study, case.diagnosis, case.diagnosis_source, by],
        )
    for position, image in enumerate(case.images, start=1):
        connection.execute(
            """INSERT INTO image (study_id, case_id, position, modality, storage_key, sha256,
                   width, height, synthetic, file_sha256, perceptual_hash, sharpness,
                   shorter_side, luminance, dark_share, light_share, contrast, mm_per_pixel)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::bit(64), %s, %s, %s, %s, %s,
                   %s, %s)""",
            [
                study,
                case_id,
                position,
                image.modality,
                image.storage_key,
                image.sha256,
                image.width,
                image.height,
                image.synthetic,
                image.file_sha256,
                f"{image.perceptual_hash:064b}",
                *astuple(image.quality),
                image.mm_per_pixel,
            ],
        )


@dataclass(frozen=True)
class MeasuredImage:
    """An image with its quality; None where it was imported before quality was measured."""

    case_id: UUID
    position: int
    quality: ImageQuality | None


def measured_images(connection: Connection, study: UUID) -> list[MeasuredImage]:
    """Return a study's images with their quality, case by case."""
    found = connection.execute(
        """SELECT case_id, position, sharpness, shorter_side, luminance, dark_share, light_share,
               contrast
           FROM image WHERE study_id = %s ORDER BY case_id, position""",
        [study],
    )
    return [
        MeasuredImage(case, position, None if numbers[0] is None else ImageQuality(*numbers))
        for case, position, *numbers in found
    ]


def storage_keys(connection: Connection, study: UUID) -> list[str]:
    """Return where the images lie of cases that are part of the study and not excluded."""
    found = connection.execute(
        """SELECT i.storage_key FROM image i JOIN study_case c ON c.id = i.case_id
           WHERE c.study_id = %(study)s
           AND c.addition <= (SELECT count(*) FROM case_addition WHERE study_id = %(study)s)
           AND c.id NOT IN (SELECT case_id FROM standing_exclusion WHERE study_id = %(study)s)
           ORDER BY i.storage_key""",
        {"study": study},
    )
    return [row[0] for row in found]


def copy_cases(
    connection: Connection, *, from_study: UUID, into_study: UUID, copies: Mapping[str, str]
) -> int:
    """Copy a study's cases into an empty draft; `copies`: storage key -> that of the copy."""
    return fetch_value(
        connection,
        "SELECT copy_cases(%s, %s, %s, %s)",
        [from_study, into_study, list(copies), list(copies.values())],
    )


def image_key(connection: Connection, *, study: UUID, case: UUID, position: int) -> str | None:
    """Return the storage key of a case's image, where the connection's role may see it."""
    return fetch_value(
        connection,
        "SELECT storage_key FROM image WHERE study_id = %s AND case_id = %s AND position = %s",
        [study, case, position],
    )


def unscored_images(connection: Connection, *, study: UUID, model_version: UUID) -> list[UUID]:
    """Return the images of a study that have no prediction of this model version.

    Those of excluded cases are left out: nobody will see them.
    """
    found = connection.execute(
        """SELECT i.id FROM image i WHERE i.study_id = %s AND NOT EXISTS
               (SELECT FROM prediction p WHERE p.image_id = i.id AND p.model_version_id = %s)
           AND i.case_id NOT IN (SELECT case_id FROM standing_exclusion)
           ORDER BY i.case_id, i.position""",
        [study, model_version],
    )
    return [row[0] for row in found]


def has_predictions(connection: Connection, *, study: UUID) -> bool:
    """Say whether every image of a study has a prediction, of whatever model version."""
    return fetch_value(
        connection,
        """SELECT EXISTS (SELECT FROM prediction WHERE study_id = %(study)s) AND NOT EXISTS
               (SELECT FROM image i WHERE i.study_id = %(study)s AND NOT EXISTS
                    (SELECT FROM prediction p WHERE p.image_id = i.id))""",
        {"study": study},
    )


def images_to_score(
    connection: Connection, *, images: list[UUID], model_version: UUID
) -> list[StoredImage]:
    """Return those of the images that still have no prediction of this model version."""
    return fetch_all(
        connection,
        StoredImage,
        """SELECT i.id, i.study_id, i.case_id, i.storage_key FROM image i
           WHERE i.id = ANY(%s) AND NOT EXISTS
               (SELECT FROM prediction p WHERE p.image_id = i.id AND p.model_version_id = %s)""",
        [images, model_version],
    )


def cases_of_images(connection: Connection, images: list[UUID]) -> list[UUID]:
    """Return the cases these images belong to."""
    found = connection.execute("SELECT DISTINCT case_id FROM image WHERE id = ANY(%s)", [images])
    return [row[0] for row in found]
