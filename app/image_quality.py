"""Measures of a decoded photograph: its quality, and a hash that survives re-encoding.

Neither is a judgement: `flags` says which numbers a person should look at, and a small
`hash_distance` says that two pictures look alike.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.image_quality import ImageQuality, QualityFlag, flags

__all__ = ["ImageQuality", "QualityFlag", "flags", "hash_distance", "measure", "perceptual_hash"]

FIELD_SIDE = 192  # pixels; the size at which sharpness is compared between cameras
_BLACK, _WHITE = 5, 250  # grey levels at and beyond which a pixel holds no drawing
_SMALL, _LOW = 32, 8  # the hash: edge of the reduced picture, frequencies kept each way


def measure(image: Image.Image) -> ImageQuality:
    """Measure an upright sRGB picture of any size.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al. 2000, ICPR 3:314-317; measure
    LAPV in Pertuz et al. 2013, Pattern Recognition 46:1415-1432), here after reduction to one
    size, since more megapixels alone would change it. A smaller picture is not enlarged. Grey
    levels are Pillow's mode L (ITU-R 601 luma).
    """
    grey = _middle(image).convert("L")
    levels = np.asarray(grey)
    return ImageQuality(
        sharpness=_sharpness(grey),
        shorter_side=min(image.size),
        luminance=float(levels.mean()),
        dark_share=float((levels <= _BLACK).mean()),
        light_share=float((levels >= _WHITE).mean()),
        contrast=float(levels.std()),
    )


def perceptual_hash(image: Image.Image) -> int:
    """Return 64 bits that change little where the picture is re-encoded, resized or relit.

    The picture's lowest 8 x 8 cosine frequencies at 32 x 32 pixels, each bit whether it lies above
    their median (Zauner 2010, Implementation and benchmarking of perceptual image hash functions,
    3.2.1), row by row from the highest bit. The same bits as `phash` of the library ImageHash.
    """
    small = image.convert("L").resize((_SMALL, _SMALL), Image.Resampling.LANCZOS)
    waves = _cosines(_SMALL)[:_LOW]
    strength = waves @ np.asarray(small, dtype=np.float64) @ waves.T
    # Where a drawing is symmetric a frequency is zero but for rounding, which differs by machine.
    strength = np.round(strength, 6)
    return int("".join("1" if bit else "0" for bit in (strength > np.median(strength)).flat), 2)


def hash_distance(one: int, other: int) -> int:
    """Return in how many of their 64 bits two hashes differ (Hamming distance)."""
    return (one ^ other).bit_count()


def _middle(image: Image.Image) -> Image.Image:
    """Cut out the largest square inside the round field of the shorter side."""
    side = max(1, round(min(image.size) / 2**0.5))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _sharpness(grey: Image.Image) -> float:
    if grey.width > FIELD_SIDE:
        grey = grey.resize((FIELD_SIDE, FIELD_SIDE), Image.Resampling.LANCZOS)
    levels = np.asarray(grey, dtype=np.float64)
    if min(levels.shape) < 3:  # noqa: PLR2004 - a Laplacian needs a neighbour on each side
        return 0.0
    around = levels[1:-1, 2:] + levels[1:-1, :-2] + levels[2:, 1:-1] + levels[:-2, 1:-1]
    return float((around - 4 * levels[1:-1, 1:-1]).var())


def _cosines(size: int) -> NDArray[np.float64]:
    """Return the discrete cosine transform (II, unscaled) as a matrix, size x size."""
    frequency, place = np.ogrid[:size, :size]
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * size))
