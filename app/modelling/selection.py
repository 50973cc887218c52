"""Which images are trained on: the person decides, with the measured numbers before them.

The paper left out blurred, small and badly exposed photographs. Here they are flagged with their
numbers and kept, unless the table's column `exclude` or the command says otherwise.
"""

from dataclasses import dataclass, replace

from app.domain.case_columns import read_yes_or_no
from app.domain.errors import InvalidInput, Problem
from app.domain.image_quality import flags
from app.modelling.labelled_images import LabelledImage, LabelledImages

COLUMN = "exclude"


@dataclass(frozen=True)
class Selection:
    """The images that are used, and what was said against some."""

    used: LabelledImages
    flagged: tuple[tuple[LabelledImage, str], ...]  # with what was measured, used or not
    excluded_by_hand: tuple[LabelledImage, ...]
    excluded_as_flagged: tuple[LabelledImage, ...]


def select_images(read: LabelledImages, *, exclude_flagged: bool) -> Selection:
    """Leave out rows marked in `exclude`, and flagged images if asked; raises InvalidInput."""
    by_hand = _excluded_by_hand(read)
    remaining = tuple(image for image in read.images if image not in by_hand)
    measured = ((image, flags(image.quality)) for image in remaining)
    flagged = tuple(
        (image, "; ".join(flag.sentence for flag in found)) for image, found in measured if found
    )
    dropped = tuple(image for image, _ in flagged) if exclude_flagged else ()
    used = tuple(image for image in remaining if image not in dropped)
    if not used:
        raise InvalidInput(f"{read.table}: no image is left to train on.")
    return Selection(replace(read, images=used), flagged, by_hand, dropped)


def _excluded_by_hand(read: LabelledImages) -> tuple[LabelledImage, ...]:
    excluded: list[LabelledImage] = []
    problems: list[Problem] = []
    for image in read.images:
        try:
            if read_yes_or_no(image.cells.get(COLUMN, "")):
                excluded.append(image)
        except ValueError as refusal:
            problems.append(Problem(read.table, image.row, COLUMN, str(refusal)))
    if problems:
        raise InvalidInput(f"{read.table}: it is not clear what to leave out.", problems)
    return tuple(excluded)
