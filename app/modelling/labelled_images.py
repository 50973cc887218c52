"""Photographs with their diagnoses, from a case table and a folder or ZIP file of images.

Reading checks everything at once: every row, and every image decoded once in a child process.
What is kept of an image are its hash and numbers; `LabelledImages.opened` decodes again, one
after the other, so that memory does not grow with the number of images.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from PIL import Image

from app.domain.case_columns import ALL_NAMES
from app.domain.case_file import CaseFile, CaseRow, ImageRow, parse_case_file
from app.domain.csv_table import read_table
from app.domain.errors import InvalidInput, NotFound, Problem
from app.domain.image_quality import ImageQuality
from app.image_decoding import CleanImage
from app.image_source import ImageSource, open_image_source
from app.imaging import ImageCleaner

Progress = Callable[[int, int], None]  # images done, images in all
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
        wanted = tuple(self.images if chosen is None else chosen)
        with open_image_source(self.source) as source, ImageCleaner() as cleaner:
            pairs = ((image.image_name, _unchanged(source, image)) for image in wanted)
            cleaned = cleaner.clean_many(pairs)
            for image, (name, result) in zip(wanted, cleaned, strict=True):
                if isinstance(result, Problem):
                    raise InvalidInput(f"{name}: {result.sentence}")
                yield image, Image.open(io.BytesIO(result.data), formats=("JPEG",))


def hash_of_images(images: Iterable[LabelledImage]) -> str:
    """Give the SHA-256 over the images' SHA-256, one a line, in this order."""
    return hashlib.sha256("".join(f"{image.sha256}\n" for image in images).encode()).hexdigest()


def read_labelled_images(table: Path, images: Path, progress: Progress) -> LabelledImages:
    """Read a case table and check every image; InvalidInput lists all that must be mended.

    The table has the columns that `reread import` understands; `images` is a folder or a ZIP.
    """
    try:
        data = table.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {table}.") from None
    except OSError as error:
        raise InvalidInput(f"{table} cannot be read: {error.strerror}.") from error
    file = parse_case_file(data, name=table.name)
    columns, cells = _cells(data, table.name)
    problems = list(file.problems)
    found: list[LabelledImage] = []
    with open_image_source(images) as source:
        for case, image, sha256, picture in _checked(file, source, problems, progress):
            found.append(_labelled(case, image, cells[image.row], sha256, picture))
    if problems:
        problems.sort(key=lambda problem: problem.row or 0)
        raise InvalidInput(f"{table.name} has {len(problems)} things to mend.", problems)
    found.sort(key=lambda image: image.row)
    sha256 = hashlib.sha256(data).hexdigest()
    return LabelledImages(table.name, sha256, columns, tuple(found), images.resolve())


def _cells(data: bytes, name: str) -> tuple[tuple[str, ...], dict[int, dict[str, str]]]:
    table = read_table(data, name=name, known=ALL_NAMES)
    return table.columns, {row.number: row.cells for row in table.rows}


def _checked(
    file: CaseFile, source: ImageSource, problems: list[Problem], progress: Progress
) -> Iterator[tuple[CaseRow, ImageRow, str, CleanImage]]:
    """Decode every image; one that cannot be, or is there twice, becomes a problem of its row."""
    rows = {str(image.row): (case, image) for case in file.cases for image in case.images}
    hashes: dict[str, str] = {}
    first_row: dict[str, int] = {}

    def problem(image: ImageRow, sentence: str) -> None:
        problems.append(Problem(file.name, image.row, "image", f"{image.file}: {sentence}"))

    def read() -> Iterator[tuple[str, bytes]]:
        for key, (_, image) in rows.items():
            try:
                data = source.read(image.file)
            except InvalidInput as refusal:
                problem(image, refusal.problems[0].sentence if refusal.problems else str(refusal))
                continue
            hashes[key] = hashlib.sha256(data).hexdigest()
            yield key, data

    with ImageCleaner() as cleaner:
        for done, (key, result) in enumerate(cleaner.clean_many(read()), start=1):
            progress(done, len(rows))
            case, image = rows[key]
            earlier = first_row.setdefault(hashes[key], image.row)
            if isinstance(result, Problem):
                problem(image, result.sentence)
            elif earlier != image.row:
                problem(image, f"is the same file as in row {earlier}; leave one of them out")
            else:
                yield case, image, hashes[key], result


def _unchanged(source: ImageSource, image: LabelledImage) -> bytes:
    data = source.read(image.image_name)
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise InvalidInput(
            f"{image.image_name} (row {image.row}) was changed while it was being used; "
            "let the images stay as they are and start again."
        )
    return data


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
