"""Generated pictures as a series to learn from: painted once, encoded as photographs are."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.feature_cache import Series
from models.pretraining_data import labels
from models.synthetic.series import Pixels, painted

PAINTED_SIZE = 240  # pixels, as in pre-training


@dataclass(frozen=True)
class GeneratedPictures:
    """Several painted series behind one another. (N, S, S, 3) and truth (N,), 1 for BCC."""

    parts: tuple[Pixels, ...]
    truth: npt.NDArray[np.int64]
    keys: tuple[str, ...]  # SHA-256 of each picture's pixels: there is no file

    def opened(self, indices: Sequence[int]) -> Iterator[Image.Image]:
        """Give the chosen pictures in order."""
        starts = np.cumsum([0, *(len(part) for part in self.parts)])
        for index in indices:
            part = int(np.searchsorted(starts, index, side="right")) - 1
            yield Image.fromarray(self.parts[part][index - int(starts[part])])

    @property
    def series(self) -> Series:
        """What the feature cache reads."""
        return Series(self.keys, self.opened)


def generated_pictures(sizes: dict[int, int], work: Path) -> GeneratedPictures:
    """Paint series of these sizes, by seed, on the first call."""
    parts = tuple(painted(seed, count, PAINTED_SIZE, work) for seed, count in sizes.items())
    truth = np.concatenate([labels(seed, count) for seed, count in sizes.items()])
    keys = tuple(
        hashlib.sha256(picture.tobytes()).hexdigest() for part in parts for picture in part
    )
    return GeneratedPictures(parts, truth, keys)
