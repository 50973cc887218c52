"""Photographs with their diagnoses, from a case table and a folder or ZIP file of images.

Reading checks everything at once: every row, and every image decoded once in a child process.
What is kept of an image are its hash and numbers; `LabelledImages.opened` decodes again, one
after the other, so that memory does not grow with the number of images.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from PIL import Image

from app.domain.case_columns import ALL_NAMES
from app.domain.case_file import CaseRow, ImageRow, parse_case_file
from app.domain.csv_table import read_table
from app.domain.image_quality import ImageQuality
from app.image_decoding import CleanImage
from app.image_source import open_image_source
from app.modelling.case_images import (
    Progress,
    checked_images,
    hash_of_images,
    opened_again,
    problem_of,
    read_case_table,
    refuse_problems,
)

Diagnosis = Literal["BCC", "SK"]


@dataclass(frozen=True)
class LabelledImage:
    """One photograph: what the table says of it (None: not said) and what was measured."""

    image_name: str  # as in the table
    row: int  # as a spreadsheet numbers it
    case_id: str
    patient_id: str | None
    lesion_id: str | None
    diagnosis: Diagnosis
    diagnosis_source: str | None
    age: int | None  # years
    sex: str | None
    anatomical_site: str | None
    fitzpatrick: int | None  # 1 to 6
    modality: str  # 'dermoscopic', 'clinical' or 'other'
    synthetic: bool
    cells: Mapping[str, str]  # the whole row, also columns that a case file does not know
    sha256: str  # of the file as it was given
    perceptual_hash: int  # 64 bits
    quality: ImageQuality
    width: int  # pixels, after decoding
    height: int


@dataclass(frozen=True)
class LabelledImages:
    """All images of one table, in the order of its rows."""

    table: str  # its file name
    table_sha256: str
    columns: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    source: Path

    @property
    def images_sha256(self) -> str:
        """SHA-256 over the images' own, one a line, in the order of the rows."""
        return hash_of_images(self.images)

    def opened(
        self, chosen: Iterable[LabelledImage] | None = None
    ) -> Iterator[tuple[LabelledImage, Image.Image]]:
        """Give images (all, without a choice) decoded, upright and in sRGB, a few in memory.

        Raises InvalidInput where a file is no longer the one that was read at first.
        """
        return opened_again(self.source, tuple(self.images if chosen is None else chosen))


def read_labelled_images(table: Path, images: Path, progress: Progress) -> LabelledImages:
    """Read a case table and check every image; InvalidInput lists all that must be mended.

    The table has the columns that `reread import` understands; `images` is a folder or a ZIP.
    """
    data = read_case_table(table)
    file = parse_case_file(data, name=table.name)
    columns, cells = _cells(data, table.name)
    problems = list(file.problems)
    found: list[LabelledImage] = []
    first_row: dict[str, int] = {}
    with open_image_source(images) as source:
        for case, image, sha256, picture in checked_images(file, source, problems, progress):
            earlier = first_row.setdefault(sha256, image.row)
            if earlier != image.row:
                twice = f"is the same file as in row {earlier}; leave one of them out"
                problems.append(problem_of(file, image, twice))
            else:
                found.append(_labelled(case, image, cells[image.row], sha256, picture))
    refuse_problems(table, problems)
    found.sort(key=lambda image: image.row)
    sha256 = hashlib.sha256(data).hexdigest()
    return LabelledImages(table.name, sha256, columns, tuple(found), images.resolve())


def _cells(data: bytes, name: str) -> tuple[tuple[str, ...], dict[int, dict[str, str]]]:
    table = read_table(data, name=name, known=ALL_NAMES)
    return table.columns, {row.number: row.cells for row in table.rows}


def _labelled(
    case: CaseRow, image: ImageRow, cells: Mapping[str, str], sha256: str, picture: CleanImage
) -> LabelledImage:
    return LabelledImage(
        image_name=image.file,
        row=image.row,
        case_id=case.case_id,
        patient_id=case.patient_id or None,
        lesion_id=case.lesion_id or None,
        diagnosis=cast("Diagnosis", case.diagnosis),
        diagnosis_source=case.diagnosis_source or None,
        age=case.age,
        sex=case.sex or None,
        anatomical_site=case.anatomical_site or None,
        fitzpatrick=case.fitzpatrick,
        modality=image.modality,
        synthetic=case.synthetic,
        cells=cells,
        sha256=sha256,
        perceptual_hash=picture.perceptual_hash,
        quality=picture.quality,
        width=picture.width,
        height=picture.height,
    )
