"""Photographs to be scored: a case table, with diagnoses or without, and its images."""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from app.domain.case_file import CaseFile, ImageRow, parse_case_file
from app.domain.errors import InvalidInput, NotFound, Problem
from app.image_source import ImageSource, open_image_source
from app.imaging import ImageCleaner

Progress = Callable[[int, int], None]  # images done, images in all


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
        listed = "".join(f"{image.sha256}\n" for image in self.images)
        return hashlib.sha256(listed.encode()).hexdigest()

    def opened(self, chosen: Sequence[ImageToScore]) -> Iterator[tuple[ImageToScore, Image.Image]]:
        """Give images decoded, upright and in sRGB; InvalidInput where a file was changed."""
        with open_image_source(self.source) as source, ImageCleaner() as cleaner:
            pairs = ((image.image_name, _unchanged(source, image)) for image in chosen)
            for image, (name, result) in zip(chosen, cleaner.clean_many(pairs), strict=True):
                if isinstance(result, Problem):
                    raise InvalidInput(f"{name}: {result.sentence}")
                yield image, Image.open(io.BytesIO(result.data), formats=("JPEG",))


def read_images_to_score(table: Path, images: Path, progress: Progress) -> ImagesToScore:
    """Read a table and check every image; InvalidInput lists all that must be mended."""
    try:
        data = table.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {table}.") from None
    except OSError as error:
        raise InvalidInput(f"{table} cannot be read: {error.strerror}.") from error
    file = parse_case_file(data, name=table.name, ignore_diagnosis=True)
    problems = list(file.problems)
    with open_image_source(images) as source:
        found = list(_checked(file, source, problems, progress))
    if problems:
        problems.sort(key=lambda problem: problem.row or 0)
        raise InvalidInput(f"{table.name} has {len(problems)} things to mend.", problems)
    found.sort(key=lambda image: image.row)
    return ImagesToScore(
        table.name, hashlib.sha256(data).hexdigest(), tuple(found), images.resolve()
    )


def _checked(
    file: CaseFile, source: ImageSource, problems: list[Problem], progress: Progress
) -> Iterator[ImageToScore]:
    """Decode every image once; one that cannot be becomes a problem of its row."""
    rows = {str(image.row): (case.case_id, image) for case in file.cases for image in case.images}
    hashes: dict[str, str] = {}

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
            case_id, image = rows[key]
            if isinstance(result, Problem):
                problem(image, result.sentence)
            else:
                yield ImageToScore(image.file, image.row, case_id, hashes[key])


def _unchanged(source: ImageSource, image: ImageToScore) -> bytes:
    data = source.read(image.image_name)
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise InvalidInput(
            f"{image.image_name} (row {image.row}) was changed while it was being scored; let the "
            "images stay as they are and start again."
        )
    return data
