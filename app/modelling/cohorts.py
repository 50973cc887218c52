"""Which images a model has seen: its training images by hash, their patients, look-alikes.

A model folder may hold training-images.csv (app/modelling/training_images.py). An image in it is
of the part that it was in; any other image is external, unless the model may know its patient or a
copy of it: those are set aside, counted and not measured.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.domain.csv_table import Row, read_table
from app.domain.errors import InvalidInput, Problem
from app.image_quality import hash_distance
from app.modelling.labelled_images import LabelledImage
from app.modelling.patients import patient_sha256
from app.modelling.training_images import COLUMNS, FILE

EXTERNAL = "external"
ALIKE = 6
"""Two pictures are taken for copies when at most so many of 64 bits of their hashes differ."""


@dataclass(frozen=True)
class TrainingImage:
    """One row of training-images.csv."""

    image: str
    split: str
    sha256: str
    perceptual_hash: int | None
    patient_sha256: str


@dataclass(frozen=True)
class TrainingImages:
    """The images that a model was made with; `sha256` of the file, None where there is none."""

    images: tuple[TrainingImage, ...]
    sha256: str | None


@dataclass(frozen=True)
class SetAside:
    """An image that is measured in no cohort, and why."""

    image: str
    row: int
    reason: str


@dataclass(frozen=True)
class Cohorts:
    """The cohort of each image, in their order; None for those set aside."""

    names: tuple[str | None, ...]
    set_aside: tuple[SetAside, ...]

    def indices(self, name: str) -> list[int]:
        """Places of the images of one cohort."""
        return [place for place, of in enumerate(self.names) if of == name]

    @property
    def present(self) -> tuple[str, ...]:
        """The cohorts that have images: parts of the training first."""
        order = ("train", "validation", "test")
        found = {name for name in self.names if name is not None}
        return (*(n for n in order if n in found), *sorted(found - set(order)))


def read_training_images(folder: Path, expected_sha256: str | None) -> TrainingImages:
    """Read the model folder's list; InvalidInput where it is damaged or missing though recorded."""
    file = folder / FILE
    if not file.exists() and expected_sha256 is None:
        return TrainingImages((), None)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"The list of training images {file} cannot be read ({error.strerror}); copy the "
            "whole model folder again."
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise InvalidInput(
            f"The list of training images {file} is not the one the model was made with (expected "
            f"SHA-256 {expected_sha256}, actual {sha256}); copy the whole model folder again."
        )
    table = read_table(data, name=FILE, known=frozenset(COLUMNS))
    problems = list(table.problems)
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing and not problems:
        problems = [Problem(FILE, 1, name, "this column is needed") for name in missing]
    if problems:
        raise InvalidInput(f"The list of training images {file} cannot be understood.", problems)
    return TrainingImages(tuple(_training_image(row) for row in table.rows), sha256)


def sort_into_cohorts(
    images: Sequence[LabelledImage], training: TrainingImages, *, external: str = EXTERNAL
) -> Cohorts:
    """Give each image its cohort: by SHA-256 of the file, then by patient, then by likeness."""
    if external in {seen.split for seen in training.images}:
        raise InvalidInput(f"{external} is a part of the training; name the cohort otherwise.")
    split_of = {seen.sha256: seen.split for seen in training.images}
    part_of = {seen.patient_sha256: seen.split for seen in training.images if seen.patient_sha256}
    names: list[str | None] = []
    aside: list[SetAside] = []
    for image in images:
        split = split_of.get(image.sha256)
        reason = None if split else _seen_otherwise(image, training, part_of)
        if reason is not None:
            aside.append(SetAside(image.image_name, image.row, reason))
        names.append(None if reason is not None else split or external)
    return Cohorts(tuple(names), tuple(aside))


def _seen_otherwise(
    image: LabelledImage, training: TrainingImages, part_of: dict[str, str]
) -> str | None:
    part = part_of.get(patient_sha256(image))
    if part is not None:
        return f"another image of this patient was in the model's {part} part"
    for seen in training.images:
        if seen.perceptual_hash is None:
            continue
        if hash_distance(seen.perceptual_hash, image.perceptual_hash) <= ALIKE:
            return f"looks like a copy of {seen.image} in the model's {seen.split} part"
    return None


def _training_image(row: Row) -> TrainingImage:
    likeness = row.cells["perceptual_hash"]
    try:
        number = int(likeness, 16) if likeness else None
    except ValueError:
        problem = Problem(FILE, row.number, "perceptual_hash", f"{likeness!r} is no such hash")
        raise InvalidInput(f"{FILE} cannot be understood.", (problem,)) from None
    cells = row.cells
    return TrainingImage(
        *(cells["image"], cells["split"], cells["sha256"], number, cells["patient_sha256"])
    )
