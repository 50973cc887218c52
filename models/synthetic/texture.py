"""Noise fields and drawn strokes: the raw material of the generated images.

Everything is given in image fractions, never in pixels, so that one random state draws
the same picture at 240 and at 512 pixels.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Field: TypeAlias = npt.NDArray[np.floating]


def happens(rng: np.random.Generator, probability: float) -> bool:
    """Whether something with this probability happens."""
    return bool(rng.random() < probability)


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> Field:
    """Random values on a coarse grid, enlarged smoothly; mean 0, deviation about 1. (S, S)."""
    coarse = rng.standard_normal((cells + 2, cells + 2)).astype(np.float32)
    enlarged = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(enlarged, dtype=np.float32) * np.float32(1.25)


def fractal_noise(rng: np.random.Generator, size: int, cells: int, octaves: int) -> Field:
    """Sum of ever finer smooth noise, each octave half as strong. (S, S)."""
    total = np.zeros((size, size), dtype=np.float32)
    for octave in range(octaves):
        total += smooth_noise(rng, size, cells * 2**octave) * np.float32(0.5**octave)
    return total


def ridges(rng: np.random.Generator, size: int, cells: int) -> Field:
    """Narrow furrows where smooth noise crosses zero: 0 in the furrow, 1 away from it. (S, S)."""
    return np.minimum(np.abs(smooth_noise(rng, size, cells)) * np.float32(2.2), np.float32(1.0))


def blurred(field: Field, radius: float) -> Field:
    """Gaussian blur of a field in [0, 1]; radius in pixels. (S, S)."""
    image = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    softened = image.filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(softened, dtype=np.float32) / np.float32(255)


def wandering_path(
    rng: np.random.Generator, start: tuple[float, float], heading: float, length: float, bend: float
) -> list[tuple[float, float]]:
    """Return a line that changes direction a little at each of its steps; image fractions."""
    steps = 14
    x, y = start
    path = [(x, y)]
    for turn in rng.normal(0.0, bend, steps):
        heading += float(turn)
        x += float(np.cos(heading)) * length / steps
        y += float(np.sin(heading)) * length / steps
        path.append((x, y))
    return path


def draw_paths(
    paths: list[tuple[list[tuple[float, float]], float]], size: int, *, softness: float
) -> Field:
    """Draw (path, width) pairs, widths and softness in image fractions; 1 on the line. (S, S)."""
    # Drawn at twice the size and reduced: Pillow's lines are not anti-aliased.
    canvas = Image.new("L", (2 * size, 2 * size))
    pen = ImageDraw.Draw(canvas)
    for path, width in paths:
        points = [(x * 2 * size, y * 2 * size) for x, y in path]
        pen.line(points, fill=255, width=max(1, round(width * 2 * size)), joint="curve")
    reduced = canvas.resize((size, size), Image.Resampling.BOX)
    if softness > 0:
        reduced = reduced.filter(ImageFilter.GaussianBlur(softness * size))
    return np.asarray(reduced, dtype=np.float32) / np.float32(255)


def draw_spots(
    spots: list[tuple[float, float, float, float, float]], size: int, *, softness: float
) -> Field:
    """Draw ellipses (x, y, long, short, angle), all in image fractions; 1 inside. (S, S)."""
    canvas = Image.new("L", (2 * size, 2 * size))
    pen = ImageDraw.Draw(canvas)
    around = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    for x, y, long, short, angle in spots:
        along, across = long * np.cos(around), short * np.sin(around)
        xs = x + along * np.cos(angle) - across * np.sin(angle)
        ys = y + along * np.sin(angle) + across * np.cos(angle)
        outline = [(float(a), float(b)) for a, b in zip(xs * 2 * size, ys * 2 * size, strict=True)]
        pen.polygon(outline, fill=255)
    reduced = canvas.resize((size, size), Image.Resampling.BOX)
    if softness > 0:
        reduced = reduced.filter(ImageFilter.GaussianBlur(softness * size))
    return np.asarray(reduced, dtype=np.float32) / np.float32(255)
