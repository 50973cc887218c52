"""Lay a signed map over the original photograph. Needs numpy and Pillow only.

Orange speaks for BCC, blue for SK: Okabe and Ito's vermillion and blue, which readers with
any common colour blindness tell apart. Strength is opacity on one fixed scale per model, so
that the legend's numbers mean the same on every case.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.geometry import centre_square

FOR_BCC = (213, 94, 0)
FOR_SK = (0, 114, 178)
STRONGEST_OPACITY = 0.72
# Opacity comes in steps: it reads as contours, and the file stays small.
LEVELS = 24
LONGEST_SIDE = 768


@dataclass(frozen=True)
class LegendStop:
    """One entry of the legend: a map value and the colour it is drawn in."""

    value: float
    colour: tuple[int, int, int]
    opacity: float


def opacity_of(values: npt.NDArray[np.floating], scale: float) -> npt.NDArray[np.float64]:
    """Opacity grows with |value| and is strongest from |value| = scale on."""
    strength = np.clip(np.abs(values) / scale, 0, 1)
    return np.round(strength * LEVELS) / LEVELS * STRONGEST_OPACITY


def legend(scale: float) -> tuple[LegendStop, ...]:
    """Return five stops from strongest for SK to strongest for BCC."""
    values = np.array([-scale, -scale / 2, 0.0, scale / 2, scale])
    return tuple(
        LegendStop(float(value), FOR_BCC if value > 0 else FOR_SK, float(opacity))
        for value, opacity in zip(values, opacity_of(values, scale), strict=True)
    )


def _palette() -> tuple[bytes, bytes]:
    """Colours and opacities of all steps, from strongest for SK to strongest for BCC.

    A byte a pixel instead of four is written in a quarter of the time.
    """
    steps = np.arange(-LEVELS, LEVELS + 1) / LEVELS  # (2 LEVELS + 1,)
    opacities = np.round(opacity_of(steps, 1.0) * 255).astype(np.uint8)
    colours = [FOR_BCC if step > 0 else FOR_SK if step < 0 else (0, 0, 0) for step in steps]
    return np.array(colours, dtype=np.uint8).tobytes(), opacities.tobytes()


_COLOURS, _OPACITIES = _palette()


def overlay_size(width: int, height: int) -> tuple[int, int]:
    """Return the overlay's size: the image's, reduced to at most 768 pixels on a side."""
    factor = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def render_overlay(
    cam: npt.NDArray[np.floating], width: int, height: int, *, scale: float
) -> bytes:
    """Return a PNG with a palette of colours and opacities, to lay over the whole image.

    cam (rows, columns) covers the centre square that the network saw; outside of it the
    overlay is fully transparent. Values between patch centres are interpolated linearly,
    but the map knows no more than its own grid. scale: the |value| of the strongest colour.
    """
    shown_width, shown_height = overlay_size(width, height)
    # Whole pixels: an odd margin puts the square half a pixel to the left or up.
    left, top = (int(edge) for edge in centre_square(shown_width, shown_height)[:2])
    side = min(shown_width, shown_height)
    field = Image.fromarray(np.asarray(cam, dtype=np.float32)).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    values = np.asarray(field, dtype=np.float32)  # (side, side)
    steps = np.full((shown_height, shown_width), LEVELS, dtype=np.uint8)
    steps[top : top + side, left : left + side] = np.rint(
        (np.clip(values / scale, -1, 1) + 1) * LEVELS
    )
    file = io.BytesIO()
    overlay = Image.fromarray(steps)
    overlay.putpalette(_COLOURS)
    # Level 6: a third of the time of the smallest file, which saves 3%.
    overlay.save(file, format="PNG", compress_level=6, transparency=_OPACITIES)
    return file.getvalue()
