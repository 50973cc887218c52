"""Batches of generated pictures and captions for the small CLIP."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.synthetic.attributes import draw_attributes
from models.synthetic.captions import write_caption
from models.synthetic.series import Pixels
from models.synthetic.texture import happens


def captions(seed: int, indices: npt.NDArray[np.int64], epoch: int) -> list[str]:
    """Return captions of the pictures, worded anew in every epoch."""
    texts: list[str] = []
    for index in indices:
        attributes = draw_attributes(np.random.default_rng([seed, index]))
        texts.append(write_caption(attributes, np.random.default_rng([seed, index, epoch])))
    return texts


def labels(seed: int, count: int) -> npt.NDArray[np.int64]:
    """Return the diagnoses of the series: 1 for BCC, 0 for SK. (N,)."""
    drawn = (draw_attributes(np.random.default_rng([seed, index])) for index in range(count))
    return np.array([attributes.diagnosis == "BCC" for attributes in drawn], dtype=np.int64)


def augmented(
    pixels: Pixels, size: int, rng: np.random.Generator, *, resized_share: float = 0
) -> Pixels:
    """Random crop, quarter turn, mirror image, brightness and colour. (B, size, size, 3).

    `resized_share` of the pictures are made smaller as a whole instead of cropped.
    """
    views: list[Pixels] = []
    spare = pixels.shape[1] - size
    for picture in pixels:
        top, left = rng.integers(0, spare + 1, 2)
        view = picture[top : top + size, left : left + size]
        if happens(rng, resized_share):
            whole = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC)
            view = np.asarray(whole)
        view = np.rot90(view, int(rng.integers(4)))
        view = view[:, ::-1] if happens(rng, 0.5) else view
        gain = rng.uniform(0.85, 1.15) * rng.normal(1, 0.04, 3)
        views.append(np.clip(view * gain.astype(np.float32), 0, 255).astype(np.uint8))
    return np.stack(views)  # (B, size, size, 3)


def batches(
    count: int, batch_size: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield shuffled indices, whole batches only."""
    order = rng.permutation(count)
    for first in range(0, count - batch_size + 1, batch_size):
        yield np.sort(order[first : first + batch_size])
