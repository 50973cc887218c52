"""Who a photograph belongs to: images of one patient must never be parted by a split."""

import hashlib
from collections.abc import Sequence

from app.domain.errors import InvalidInput
from app.modelling.labelled_images import LabelledImage, LabelledImages

DEFAULT_GROUP = "patient_id"


def groups_of(read: LabelledImages, column: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give each image's group by a column of the table, and warnings about missing ones.

    An image without an entry makes a group with the other images of its case.
    """
    if column not in read.columns and column != DEFAULT_GROUP:
        raise InvalidInput(
            f"{read.table} has no column {column} to group by; it has {', '.join(read.columns)}."
        )
    groups = tuple(_group(image, column) for image in read.images)
    missing = sum(group.startswith("case:") for group in groups)
    if not missing:
        return groups, ()
    warning = (
        f"{missing} of {len(groups)} images have no {column}: each of their cases is taken as a "
        "patient of its own. If some are of one patient, the test part is not independent."
    )
    return groups, (warning,)


def patient_sha256(image: LabelledImage) -> str:
    """Give the SHA-256 of the patient's id, without salt; empty where it is not known."""
    return hashlib.sha256(image.patient_id.encode()).hexdigest() if image.patient_id else ""


def count_patients(groups: Sequence[str]) -> int:
    """How many groups there are."""
    return len(set(groups))


def _group(image: LabelledImage, column: str) -> str:
    entry = image.patient_id if column == DEFAULT_GROUP else image.cells.get(column)
    return f"{column}:{entry}" if entry else f"case:{image.case_id}"
