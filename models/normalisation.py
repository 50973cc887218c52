"""The mean and deviation of a data set's colours, as the paper normalises. Needs no torch."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from PIL import Image

from models.preprocess import Preprocessing


def normalised_by_data(
    preprocessing: Preprocessing, pictures: Iterable[Image.Image]
) -> Preprocessing:
    """Return the preparation with the pictures' own statistics, each colour over all pixels.

    A frozen CLIP was trained with other statistics: this shifts its input, by choice.
    """
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for picture in pictures:
        pixels = np.asarray(preprocessing.crop(picture)).reshape(-1, 3) / 255  # (S * S, 3)
        count += len(pixels)
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=0)
    mean = total / count
    std = np.sqrt(squares / count - mean**2)
    (r, g, b), (dr, dg, db) = (np.round(mean, 6).tolist(), np.round(std, 6).tolist())
    return replace(preprocessing, mean=(r, g, b), std=(dr, dg, db))
