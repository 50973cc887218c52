"""training-images.csv of a model's folder: the images it was made with, without the images."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.csv_table import Row, read_table
from app.domain.errors import InvalidInput, Problem

FILE = "training-images.csv"
_RULES = {  # column -> what a cell must be
    "image": (re.compile(".{1,300}", re.DOTALL), "a name of 1 to 300 characters"),
    "split": (re.compile(".{1,40}", re.DOTALL), "a word such as train or test"),
    "sha256": (re.compile("[0-9a-f]{64}"), "a SHA-256 in 64 hexadecimal digits"),
    "perceptual_hash": (re.compile("[0-9a-f]{16}"), "a hash in 16 hexadecimal digits"),
    "patient_sha256": (re.compile("([0-9a-f]{64})?"), "empty or a SHA-256 in hexadecimal digits"),
}


@dataclass(frozen=True)
class TrainingImage:
    """One image: its name, its part of the data ("train", "test", ...), and its hashes."""

    image: str
    split: str
    sha256: str  # of the file
    perceptual_hash: int  # 64 bits
    patient_sha256: str | None  # of the patient's id as text; None where not known


def parse_training_images(data: bytes, *, name: str) -> tuple[TrainingImage, ...]:
    """Read the list; raises InvalidInput with every problem by row and column."""
    table = read_table(data, name=name, known=frozenset(_RULES))
    problems = list(table.problems)
    problems += [
        Problem(name, table.header_row, column, "the column is missing; train the model again")
        for column in _RULES
        if table.columns and column not in table.columns
    ]
    if not problems:
        problems += [p for row in table.rows for p in _problems(row, name)]
        problems += _twice(table.rows, name)
    if problems:
        raise InvalidInput(f"{name} cannot be used: {problems[0]}", tuple(problems))
    return tuple(_image(row.cells) for row in table.rows)


def list_sha256(images: tuple[TrainingImage, ...]) -> str:
    """Return the digest by which the database checks the list that it stores."""
    lines = (
        "\t".join((i.image, i.split, i.sha256, f"{i.perceptual_hash:064b}", i.patient_sha256 or ""))
        for i in sorted(images, key=lambda i: i.image.encode())
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _image(cells: dict[str, str]) -> TrainingImage:
    return TrainingImage(
        image=cells["image"],
        split=cells["split"],
        sha256=cells["sha256"],
        perceptual_hash=int(cells["perceptual_hash"], 16),
        patient_sha256=cells["patient_sha256"] or None,
    )


def _problems(row: Row, name: str) -> Iterator[Problem]:
    for column, (pattern, expected) in _RULES.items():
        cell = row.cells[column]
        if not pattern.fullmatch(cell):
            yield Problem(name, row.number, column, f'"{cell[:80]}" is not {expected}')


def _twice(rows: tuple[Row, ...], name: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for row in rows:
        earlier = first.setdefault(row.cells["image"], row.number)
        if earlier != row.number:
            yield Problem(name, row.number, "image", f"the image stands in row {earlier} too")
