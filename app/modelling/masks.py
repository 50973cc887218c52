"""Lesion masks beside the images: PNG files of the same name, in which all but black is lesion."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from app.domain.errors import InvalidInput, NotFound, Problem
from app.modelling.labelled_images import LabelledImage

_ASPECT = 0.02  # relative difference that rounding of a resize explains
_LONGEST_EDGE = 8192


def find_masks(
    folder: Path, table: str, images: Sequence[LabelledImage]
) -> tuple[Path | None, ...]:
    """Give the mask file of each image, None where there is none.

    InvalidInput lists masks that cannot be read, are empty, or have another aspect than their
    image, and says so where no image has a mask.
    """
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.")
    files = {file.stem: file for file in sorted(folder.glob("*.png"))}
    found = tuple(files.get(Path(image.image_name).stem) for image in images)
    if not any(found):
        raise InvalidInput(
            f"No PNG file in {folder} is named like an image of {table}; the mask of "
            f"{images[0].image_name} would be {Path(images[0].image_name).stem}.png."
        )
    problems: list[Problem] = []
    for image, file in zip(images, found, strict=True):
        if file is not None:
            try:
                _check_aspect(open_mask(file), image)
            except ValueError as fault:
                problems.append(Problem(table, image.row, None, f"the mask {file.name} {fault}"))
    if problems:
        raise InvalidInput(f"{len(problems)} masks cannot be used.", problems)
    return found


def open_mask(file: Path) -> Image.Image:
    """Decode a mask; ValueError says what is wrong with it."""
    try:
        with warnings.catch_warnings(), Image.open(file, formats=("PNG",)) as image:
            warnings.simplefilter("ignore")
            if max(image.size) > _LONGEST_EDGE:
                raise ValueError(f"is longer than {_LONGEST_EDGE} pixels on a side")
            image.load()
            mask = image.convert("L")
    except (OSError, SyntaxError, Image.DecompressionBombError) as fault:
        raise ValueError(f"cannot be decoded ({fault})") from fault
    if mask.getextrema()[1] == 0:
        raise ValueError("is black: it marks no lesion")
    return mask


def _check_aspect(mask: Image.Image, image: LabelledImage) -> None:
    wanted, given = image.width / image.height, mask.width / mask.height
    if abs(given / wanted - 1) > _ASPECT:
        raise ValueError(
            f"has {mask.width} x {mask.height} pixels and the image {image.width} x "
            f"{image.height}: another aspect, so it cannot be laid over it"
        )
