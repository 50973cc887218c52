"""How far the colour of a lesion lies from that of the skin around it, as a number."""

import numpy as np
import numpy.typing as npt
from PIL import Image

_SIDE = 96
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
Pixels = npt.NDArray[np.float64]


def colour_contrast(image: Image.Image) -> float:
    """Return the CIE 1976 colour difference between a picture's middle and what lies around.

    Mean colours, in CIELAB (CIE 15:2004), of the middle square of a third of the shorter side and
    of the ring between two thirds of it and its whole: where the lesion lies in the middle this
    says how far it stands out from the skin; below about 10 it blends in.
    """
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.convert("RGB").crop((left, top, left + side, top + side))
    pixels = np.asarray(square.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    off = np.abs(np.arange(_SIDE) + 0.5 - _SIDE / 2) / (_SIDE / 2)
    out = np.maximum(off[:, None], off[None, :])  # 0 in the middle, 1 at the edge
    # Round a dermoscope's field the corners are black: the ring keeps clear of them.
    round_field = np.hypot(off[:, None], off[None, :]) <= 1
    middle, ring = pixels[out < 1 / 3], pixels[(out > 2 / 3) & round_field]
    return float(np.linalg.norm(lab(middle).mean(axis=0) - lab(ring).mean(axis=0)))


def lab(srgb: Pixels) -> Pixels:
    """Give CIELAB (N, 3) of sRGB values 0 to 255 (N, 3) (IEC 61966-2-1; white D65)."""
    share = srgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004
    x = linear @ _TO_XYZ.T / _WHITE
    f = np.where(x > (6 / 29) ** 3, np.cbrt(x), x / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness = 116 * f[:, 1] - 16
    return np.stack((lightness, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])), axis=1)
