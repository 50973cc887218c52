"""Register which images a model was made with, where its folder says so."""

from pathlib import Path
from uuid import UUID

from app.db import seen_before
from app.db.session import Database, Role
from app.domain.errors import Conflict
from app.domain.training_images import FILE, list_sha256, parse_training_images


def register_training_images(
    database: Database, *, model_version: UUID, folder: Path
) -> int | None:
    """Store the list of the model's folder once; returns its images, None where there is no list.

    Raises InvalidInput where the list cannot be read, and Conflict where the model version was
    registered with another one: what a study was compared with does not change.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    images = parse_training_images(file.read_bytes(), name=FILE)
    digest = list_sha256(images)
    with database.begin(Role.WORKER, actor=None) as connection:
        seen_before.wait_for_other_workers(connection, model_version)
        known = seen_before.training_list(connection, model_version)
        if known is None:
            seen_before.insert_training_list(
                connection, model_version=model_version, digest=digest, images=images
            )
        elif known.list_sha256 != digest:
            raise Conflict(
                f"{file} is not the list that this model version was registered with "
                f"({known.images} images, SHA-256 {known.list_sha256}). Put that list "
                "back; a model that was trained on other images has other weights."
            )
    return len(images)
