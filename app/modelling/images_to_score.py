"""Photographs to be scored: a case table, with diagnoses or without, and its images."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from app.domain.case_file import parse_case_file
from app.image_source import open_image_source
from app.modelling.case_images import (
    Progress,
    checked_images,
    hash_of_images,
    opened_again,
    read_case_table,
    refuse_problems,
)


@dataclass(frozen=True)
class ImageToScore:
    """One photograph by its name in the table, its row and the SHA-256 of its file."""

    image_name: str
    row: int
    case_id: str
    sha256: str


@dataclass(frozen=True)
class ImagesToScore:
    """All images of one table, in the order of its rows."""

    table: str
    table_sha256: str
    images: tuple[ImageToScore, ...]
    source: Path

    @property
    def images_sha256(self) -> str:
        """SHA-256 over the images' own, one a line, in the order of the rows."""
        return hash_of_images(self.images)

    def opened(self, chosen: Sequence[ImageToScore]) -> Iterator[tuple[ImageToScore, Image.Image]]:
        """Give images decoded, upright and in sRGB; InvalidInput where a file was changed."""
        return opened_again(self.source, chosen)


def read_images_to_score(table: Path, images: Path, progress: Progress) -> ImagesToScore:
    """Read a table and check every image; InvalidInput lists all that must be mended."""
    data = read_case_table(table)
    file = parse_case_file(data, name=table.name, ignore_diagnosis=True)
    problems = list(file.problems)
    with open_image_source(images) as source:
        found = [
            ImageToScore(image.file, image.row, case.case_id, sha256)
            for case, image, sha256, _ in checked_images(file, source, problems, progress)
        ]
    refuse_problems(table, problems)
    found.sort(key=lambda image: image.row)
    return ImagesToScore(
        table.name, hashlib.sha256(data).hexdigest(), tuple(found), images.resolve()
    )
