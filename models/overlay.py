"""Lay a signed map over the original photograph. Needs numpy and Pillow only.

Orange speaks for BCC, blue for SK: Okabe and Ito's vermillion and blue, which readers with
any common colour blindness tell apart. Strength is opacity on one fixed scale per model, so
that the legend's numbers mean the same on every case.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

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


def laid_over(photograph: Image.Image, overlay_png: bytes) -> Image.Image:
    """Return the photograph, at the overlay's size, with the overlay on it. RGB."""
    with Image.open(io.BytesIO(overlay_png)) as file:
        overlay = file.convert("RGBA")
    shown = photograph.convert("RGB").resize(overlay.size, Image.Resampling.LANCZOS)
    shown.paste(overlay, mask=overlay.getchannel("A"))
    return shown


def explained_picture(
    photograph: Image.Image,
    overlay_png: bytes,
    *,
    scale: float,
    grid: tuple[int, int],
    remark: str = "",
) -> bytes:
    """Return a PNG of the photograph under its map, with the legend below. RGB.

    The thin square is what the network saw. The legend has the scale's numbers and says how
    coarse the map is, so that the file can be understood without anything beside it; `remark`
    is its last sentence.
    """
    shown = laid_over(photograph, overlay_png)
    left, top, right, bottom = (round(edge) for edge in centre_square(*shown.size))
    frame = ImageDraw.Draw(shown)
    # Black and white side by side show on any photograph.
    frame.rectangle((left, top, right - 1, bottom - 1), outline=(0, 0, 0))
    frame.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=(255, 255, 255))
    cell = (right - left) / grid[1]
    coarse = (
        f"Cells are coarse: {grid[0]} x {grid[1]} in the square, each about {cell:.0f} pixels "
        "wide here; between their centres the colour is interpolated."
    )
    lines = (
        "Orange speaks for BCC, blue for SK; the numbers mean the same on every image of a model.",
        coarse,
        "It shows what moved the model, not where the lesion is.",
        remark,
    )
    width = max(shown.width, _LEGEND_WIDTH)
    legend_rows = _legend_rows(lines, width, scale)
    sheet = Image.new("RGB", (width, shown.height + legend_rows.height), "white")
    sheet.paste(shown, ((width - shown.width) // 2, 0))
    sheet.paste(legend_rows, (0, shown.height))
    file = io.BytesIO()
    sheet.save(file, format="PNG", compress_level=6)
    return file.getvalue()


_LEGEND_WIDTH = 420
_MARGIN = 10
_LINE = 17


def _legend_rows(lines: tuple[str, ...], width: int, scale: float) -> Image.Image:
    """Draw the colour bar with its numbers, and the lines below it, wrapped to the width."""
    font = ImageFont.load_default(size=12)
    wrapped = [part for line in lines if line for part in _wrapped(line, font, width - 2 * _MARGIN)]
    bar_top, bar_height = 8, 14
    text_top = bar_top + bar_height + 24
    rows = Image.new("RGB", (width, text_top + _LINE * len(wrapped) + 8), "white")
    draw = ImageDraw.Draw(rows)
    bar = range(_MARGIN, width - _MARGIN)
    for x in bar:
        value = scale * (2 * (x - bar.start) / (len(bar) - 1) - 1)
        opacity = float(opacity_of(np.array([value]), scale)[0])
        colour = FOR_BCC if value > 0 else FOR_SK
        mixed = tuple(round(255 + opacity * (part - 255)) for part in colour)
        draw.line((x, bar_top, x, bar_top + bar_height), fill=mixed)
    names = {0: "for SK ", 4: "for BCC "}
    for place, stop in enumerate(legend(scale)):
        x = bar.start + (len(bar) - 1) * place / 4
        anchor = {0: "la", 4: "ra"}.get(place, "ma")
        text = f"{names.get(place, '')}{stop.value:+.2g}" if stop.value else "0"
        draw.text((x, bar_top + bar_height + 4), text, "black", font, anchor)
    for number, line in enumerate(wrapped):
        draw.text((_MARGIN, text_top + _LINE * number), line, "black", font)
    return rows


def _wrapped(
    line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    rows = [""]
    for word in line.split():
        longer = f"{rows[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            rows[-1] = longer
        else:
            rows.append(word)
    return rows
