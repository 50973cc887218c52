"""Features of generated images, computed once: augmentation comes before the cache."""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.backbone import Backbone, image_features
from models.pretraining_data import augmented, labels
from models.synthetic.series import Pixels, painted

_CHUNK = 100
_SPARE = 16  # pixels around the network's view, for random crops


@dataclass(frozen=True)
class Cached:
    """Unit features of K views of N images, and the class of each (0 BCC, 1 SK)."""

    views: Tensor  # (K, N, D)
    classes: Tensor  # (N,)

    @property
    def plain(self) -> npt.NDArray[np.float32]:
        """Features of the first view. (N, D)."""
        return self.views[0].numpy()

    @property
    def truth(self) -> npt.NDArray[np.int64]:
        """1 for BCC, 0 for SK. (N,)."""
        return 1 - self.classes.numpy()


def plain_views(pixels: Pixels, size: int) -> Pixels:
    """Return the centres of painted pictures. (N, size, size, 3)."""
    edge = (pixels.shape[1] - size) // 2
    return pixels[:, edge : edge + size, edge : edge + size]


def cache(backbone: Backbone, seed: int, count: int, work: Path, *, views: int = 1) -> Cached:
    """Paint a series and encode it: as it is once, and augmented for every further view."""
    size = backbone.preprocessing.image_size
    classes = torch.from_numpy(1 - labels(seed, count))
    pixels = painted(seed, count, size + _SPARE, work)
    plain = plain_views(pixels, size)
    rng = np.random.default_rng([seed, 1])
    encoded: list[Tensor] = []
    for view in range(views):
        chunks: list[Tensor] = []
        for first in range(0, count, _CHUNK):
            chosen = slice(first, first + _CHUNK)
            pictures = plain[chosen] if view == 0 else augmented(pixels[chosen], size, rng)
            inputs = torch.from_numpy(backbone.preprocessing.normalise(pictures))
            chunks.append(image_features(backbone, inputs))
        encoded.append(torch.cat(chunks))
    return Cached(torch.stack(encoded), classes)
