"""The cast: small coloured pictures of invented patients, with their table."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Rows = list[dict[str, str]]


def nothing(done: int, total: int) -> None:
    """No progress is shown."""


def draw(file: Path, diagnosis: str, seed: int) -> None:
    """A picture of noise that is redder for BCC and browner for SK, a little different each."""
    rng = np.random.default_rng(seed)
    colour = (200, 110, 110) if diagnosis == "BCC" else (150, 110, 80)
    pixels = rng.normal(colour, 30, (96, 80, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file)


def patients(count: int, images: int = 2) -> Rows:
    """Rows of `count` patients, half of them BCC, with `images` images each."""
    return [
        {
            "image": f"p{patient:02}-{image}.png",
            "case_id": f"p{patient:02}-{image}",
            "diagnosis": "BCC" if patient % 2 else "SK",
            "patient_id": f"patient {patient}",
            "age": str(40 + patient),
            "sex": "female" if patient % 3 else "male",
            "modality": "clinical",
        }
        for patient in range(count)
        for image in range(images)
    ]


def write_table(file: Path, rows: Rows) -> Path:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return file


@pytest.fixture
def cohort(tmp_path: Path) -> Callable[[Rows], tuple[Path, Path]]:
    """Draw the images of rows and write their table; gives the table and the images' folder."""

    def make(rows: Rows) -> tuple[Path, Path]:
        folder = tmp_path / "photographs"
        folder.mkdir(exist_ok=True)
        for number, row in enumerate(rows):
            draw(folder / row["image"], row["diagnosis"], number)
        return write_table(tmp_path / "cases.csv", rows), folder

    return make
