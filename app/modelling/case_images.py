"""The images of a case table: each decoded once in a child process to check it, and later again.

What the table is read for (training, evaluation, scoring) decides what is kept of an image; memory
does not grow with the number of images.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from PIL import Image

from app.domain.case_file import CaseFile, CaseRow, ImageRow
from app.domain.errors import InvalidInput, NotFound, Problem, to_mend
from app.image_decoding import CleanImage
from app.image_source import ImageSource, open_image_source
from app.imaging import ImageCleaner

Progress = Callable[[int, int], None]  # images done, images in all


class ListedImage(Protocol):
    """An image by its name in the table, its row and the SHA-256 of its file."""

    @property
    def image_name(self) -> str: ...  # noqa: D102 as in the class's sentence
    @property
    def row(self) -> int: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102


Listed = TypeVar("Listed", bound=ListedImage)


def read_case_table(table: Path) -> bytes:
    """Return the file's bytes; raises NotFound or InvalidInput."""
    try:
        return table.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {table}.") from None
    except OSError as error:
        raise InvalidInput(f"{table} cannot be read: {error.strerror}.") from error


def checked_images(
    file: CaseFile, source: ImageSource, problems: list[Problem], progress: Progress
) -> Iterator[tuple[CaseRow, ImageRow, str, CleanImage]]:
    """Decode every image; give its case, row, SHA-256 and content.

    One that cannot be read or decoded becomes a problem of its row.
    """
    rows = {str(image.row): (case, image) for case in file.cases for image in case.images}
    hashes: dict[str, str] = {}

    def read() -> Iterator[tuple[str, bytes]]:
        for key, (_, image) in rows.items():
            try:
                data = source.read(image.file)
            except InvalidInput as refusal:
                sentence = refusal.problems[0].sentence if refusal.problems else str(refusal)
                problems.append(problem_of(file, image, sentence))
                continue
            hashes[key] = hashlib.sha256(data).hexdigest()
            yield key, data

    with ImageCleaner() as cleaner:
        for done, (key, result) in enumerate(cleaner.clean_many(read()), start=1):
            progress(done, len(rows))
            case, image = rows[key]
            if isinstance(result, Problem):
                problems.append(problem_of(file, image, result.sentence))
            else:
                yield case, image, hashes[key], result


def problem_of(file: CaseFile, image: ImageRow, sentence: str) -> Problem:
    """Say what is wrong with the image of a row."""
    return Problem(file.name, image.row, "image", f"{image.file}: {sentence}")


def refuse_problems(table: Path, problems: list[Problem]) -> None:
    """Raise InvalidInput that lists all that must be mended, by row, where there is anything."""
    if problems:
        problems.sort(key=lambda problem: problem.row or 0)
        raise InvalidInput(f"{table.name} has {to_mend(problems)}.", problems)


def hash_of_images(images: Iterable[ListedImage]) -> str:
    """Give the SHA-256 over the images' SHA-256, one a line, in this order."""
    return hashlib.sha256("".join(f"{image.sha256}\n" for image in images).encode()).hexdigest()


def opened_again(source: Path, chosen: Sequence[Listed]) -> Iterator[tuple[Listed, Image.Image]]:
    """Give images decoded, upright and in sRGB, a few in memory.

    Raises InvalidInput where a file is no longer the one that was read at first.
    """
    with open_image_source(source) as files, ImageCleaner() as cleaner:
        pairs = ((image.image_name, _unchanged(files, image)) for image in chosen)
        for image, (name, result) in zip(chosen, cleaner.clean_many(pairs), strict=True):
            if isinstance(result, Problem):
                raise InvalidInput(f"{name}: {result.sentence}")
            yield image, Image.open(io.BytesIO(result.data), formats=("JPEG",))


def _unchanged(source: ImageSource, image: ListedImage) -> bytes:
    data = source.read(image.image_name)
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise InvalidInput(
            f"{image.image_name} (row {image.row}) was changed while it was being used; "
            "let the images stay as they are and start again."
        )
    return data
