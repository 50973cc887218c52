"""Augmented views of a photograph: random crop, rotation, flip and colour, as in the paper.

A view is a function of the picture's key, the view's number and the seed alone, so that an
interrupted computation goes on with the same views.
"""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.geometry import centre_square

Pixels = npt.NDArray[np.uint8]
_VERSION = 1  # part of the cache's key: a change of this file's drawing must raise it
_SPARE = 0.21  # mirrored border as a share of the side; a square turned by 45 degrees needs 0.207


@dataclass(frozen=True)
class Augmentation:
    """How far views may differ; shares are drawn evenly from -x to +x."""

    smallest_crop: float = 0.7  # side of the crop, as a share of the centre square's side
    rotation: float = 180.0  # degrees; a lesion has no upright
    flip: float = 0.5  # probability of the mirror image
    brightness: float = 0.15
    contrast: float = 0.15
    saturation: float = 0.15
    seed: int = 1

    def describe(self) -> str:
        """Return one stable line: equal lines give equal views."""
        settings = "; ".join(f"{name} {value:g}" for name, value in asdict(self).items())
        return f"augmentation v{_VERSION}; {settings}"


def augmented_views(
    image: Image.Image, size: int, key: str, views: int, settings: Augmentation
) -> Pixels:
    """Return views 1 to `views` of a picture's centre square. (K, size, size, 3).

    key: hexadecimal digits that identify the picture, for example its SHA-256.
    """
    side = round(size / settings.smallest_crop)  # the smallest crop is not enlarged
    square = image.convert("RGB").resize(
        (side, side), Image.Resampling.BICUBIC, box=centre_square(*image.size)
    )
    border = round(side * _SPARE)
    spread = np.pad(np.asarray(square), ((border, border), (border, border), (0, 0)), "reflect")
    wide = Image.fromarray(spread)
    number = int(key[:16], 16)
    drawn: list[Pixels] = []
    for view in range(1, views + 1):
        rng = np.random.default_rng([settings.seed, view, number])
        drawn.append(_recoloured(_cut(wide, side, size, rng, settings), rng, settings))
    return np.stack(drawn)  # (K, S, S, 3)


def _cut(
    wide: Image.Image, side: int, size: int, rng: np.random.Generator, settings: Augmentation
) -> Pixels:
    """Crop, turn and mirror in one resampling. (size, size, 3)."""
    share = rng.uniform(settings.smallest_crop, 1)
    free = (1 - share) / 2 * side
    across, down = rng.uniform(-free, free, 2)
    angle = np.deg2rad(rng.uniform(-settings.rotation, settings.rotation))
    mirror = -1 if rng.random() < settings.flip else 1
    step = share * side / size
    a, b = mirror * step * np.cos(angle), -step * np.sin(angle)
    d, e = mirror * step * np.sin(angle), step * np.cos(angle)
    # From the view's pixel (x, y) to the picture's (ax + by + c, dx + ey + f), middle on middle.
    c = wide.width / 2 + across - (a + b) * size / 2
    f = wide.height / 2 + down - (d + e) * size / 2
    view = wide.transform(
        (size, size), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BICUBIC
    )
    return np.asarray(view)


def _recoloured(pixels: Pixels, rng: np.random.Generator, settings: Augmentation) -> Pixels:
    """Change brightness, then contrast, then saturation. (S, S, 3)."""
    ranges = np.array([settings.brightness, settings.contrast, settings.saturation])
    light, contrast, saturation = (1 + rng.uniform(-ranges, ranges)).astype(np.float32)
    values = pixels.astype(np.float32) * light
    mean = values.mean()
    values = mean + contrast * (values - mean)
    grey = values.mean(axis=2, keepdims=True)
    values = grey + saturation * (values - grey)
    return values.clip(0, 255).round().astype(np.uint8)
