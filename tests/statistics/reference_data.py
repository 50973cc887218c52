"""The reference pairs and their numbers, as arrays."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "reference"
PAIRS: dict[str, dict[str, Any]] = json.loads((FOLDER / "pairs_reference.json").read_text())


@dataclass(frozen=True)
class Pair:
    truth: NDArray[np.bool_]
    unaided: NDArray[np.float64]
    aided: NDArray[np.float64]


def pair(name: str) -> Pair:
    with (FOLDER / "data" / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    return Pair(
        np.array([row["y"] == "1" for row in rows]),
        np.array([float(row["unaided"]) for row in rows]),
        np.array([float(row["aided"]) for row in rows]),
    )
