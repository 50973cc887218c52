"""Paint one lesion on skin: outline, colour and relief.

A relief map is shaded by one light, so that a dome, a rolled border or a warty surface
looks raised; colours are mixed in RGB between 0 and 1.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.synthetic.attributes import Attributes
from models.synthetic.colour import Picture, mix, rgb
from models.synthetic.light import lit, photographed, with_hairs
from models.synthetic.texture import (
    Field,
    blurred,
    draw_paths,
    draw_spots,
    fractal_noise,
    ridges,
    smooth_noise,
    wandering_path,
)

SKIN = np.array(  # one colour per Fitzpatrick type, light to dark
    [
        [0.91, 0.76, 0.70],
        [0.87, 0.69, 0.60],
        [0.80, 0.60, 0.49],
        [0.68, 0.48, 0.37],
        [0.50, 0.34, 0.26],
        [0.35, 0.23, 0.18],
    ],
    dtype=np.float32,
)[:, :, None, None]  # (6, 3, 1, 1)


PINK = rgb(0.80, 0.44, 0.43)
TAN = rgb(0.66, 0.46, 0.31)
BROWN = rgb(0.36, 0.23, 0.15)
DARK_BROWN = rgb(0.17, 0.11, 0.09)
PEARL = rgb(0.93, 0.80, 0.79)
VESSEL = rgb(0.62, 0.17, 0.19)
SLATE = rgb(0.30, 0.31, 0.37)
BLOOD = rgb(0.33, 0.06, 0.06)
CRUST = rgb(0.64, 0.50, 0.30)
CYST = rgb(0.94, 0.89, 0.77)
PLUG = rgb(0.13, 0.08, 0.05)


@dataclass(frozen=True)
class Shape:
    """Where the lesion is: `reach` is 0 at its centre and 1 on its border."""

    reach: Field  # (S, S)
    inside: Field  # (S, S), 1 inside, soft border


def _shape(rng: np.random.Generator, lesion: Attributes, size: int) -> Shape:
    axis = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    x, y = np.meshgrid(axis - lesion.centre[0], axis - lesion.centre[1])
    turn, stretch = float(rng.uniform(0, np.pi)), float(rng.uniform(0.78, 1.25))
    # math, not numpy: a numpy scalar of 64 bits would widen every field it touches.
    along = (x * math.cos(turn) + y * math.sin(turn)) * stretch
    across = (-x * math.sin(turn) + y * math.cos(turn)) / stretch
    angle: Field = np.arctan2(across, along)
    border: Field = np.ones_like(angle)
    for lobes in range(2, 7):
        depth, start = (
            float(rng.normal(0, 0.11 / math.pow(lobes, 0.7))),
            float(rng.uniform(0, 6.28)),
        )
        border = border + depth * np.cos(lobes * angle + start)
    border = border + 0.02 * fractal_noise(rng, size, 24, 2)
    reach: Field = np.hypot(along, across) / (lesion.radius * border)
    softness = 0.03 + 0.22 * (1 - lesion.sharpness) ** 1.5
    inside = 1 / (1 + np.exp(np.clip((reach - 1) * (2.2 / softness), -30, 30)))
    return Shape(reach.astype(np.float32), inside.astype(np.float32))


def _skin(rng: np.random.Generator, lesion: Attributes, size: int) -> tuple[Picture, Field]:
    """Colour and relief of the skin around. (3, S, S), (S, S)."""
    tone = SKIN[lesion.fitzpatrick - 1] + rng.normal(0, 0.02, (3, 1, 1)).astype(np.float32)
    picture = np.broadcast_to(tone, (3, size, size)).copy()
    picture += fractal_noise(rng, size, 4, 4) * np.float32(0.018)
    redness = np.clip(fractal_noise(rng, size, 3, 3), 0, 2) * np.float32(rng.uniform(0, 0.22))
    picture = mix(picture, PINK * tone / SKIN[0], redness)
    freckles = np.clip(smooth_noise(rng, size, 22) - 2.1, 0, 1) * np.float32(rng.uniform(0, 0.5))
    picture = mix(picture, tone * np.float32(0.62), freckles)
    scale = 34 if lesion.modality == "dermoscopic" else 52
    furrows = ridges(rng, size, scale) + ridges(rng, size, 2 * scale)
    pores = smooth_noise(rng, size, 2 * scale) + smooth_noise(rng, size, 4 * scale)
    grain = furrows * np.float32(0.25) + pores * np.float32(0.22)
    picture *= 1 + grain * np.float32(rng.uniform(0.02, 0.05))
    return picture, grain * np.float32(rng.uniform(0.0015, 0.006))


def _body(rng: np.random.Generator, lesion: Attributes, shape: Shape, size: int) -> Picture:
    """Ground colour of the lesion, mottled. (3, S, S)."""
    level = lesion.pigment + 0.13 * fractal_noise(rng, size, 5, 4)
    tone = SKIN[lesion.fitzpatrick - 1]
    pink = PINK * np.float32(0.45) + tone * np.float32(0.55) * rgb(1.0, 0.82, 0.82)
    body = np.broadcast_to(pink, (3, size, size))
    body = mix(body, TAN * (np.float32(0.5) + tone * np.float32(0.6)), level * 2.6 - 0.25)
    body = mix(body, BROWN, (level - 0.42) * 2.2)
    body = mix(body, DARK_BROWN, (level - 0.78) * 2.0)
    return mix(body, body * np.float32(0.86), np.clip(shape.reach - 0.6, 0, 1))


def _somewhere_inside(
    rng: np.random.Generator, lesion: Attributes, spread: float
) -> tuple[float, float]:
    angle, reach = rng.uniform(0, 2 * np.pi), lesion.radius * spread * np.sqrt(rng.random())
    return (
        lesion.centre[0] + float(np.cos(angle) * reach),
        lesion.centre[1] + float(np.sin(angle) * reach),
    )


def _vessel_tree(rng: np.random.Generator, lesion: Attributes, size: int) -> Field:
    """Stems that fork into thinner twigs (arborizing). (S, S)."""
    paths: list[tuple[list[tuple[float, float]], float]] = []
    width = 0.0075 if lesion.modality == "dermoscopic" else 0.005
    for _ in range(2 + int(4 * lesion.strengths["vessels"])):
        start = _somewhere_inside(rng, lesion, 1.0)
        towards = math.atan2(lesion.centre[1] - start[1], lesion.centre[0] - start[0])
        heading = float(towards + rng.normal(0, 0.7))
        stem = wandering_path(rng, start, heading, lesion.radius * rng.uniform(0.7, 1.3), 0.28)
        paths.append((stem, width * rng.uniform(0.7, 1.3)))
        for fork in rng.choice(len(stem), 4, replace=False):
            side = heading + float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.1))
            twig = wandering_path(
                rng, stem[int(fork)], side, lesion.radius * rng.uniform(0.25, 0.6), 0.3
            )
            paths.append((twig, width * 0.45))
    return draw_paths(paths, size, softness=0.0022)


def _spots(
    rng: np.random.Generator,
    lesion: Attributes,
    size: int,
    count: int,
    radius: tuple[float, float],
    softness: float,
) -> Field:
    spots: list[tuple[float, float, float, float, float]] = []
    for _ in range(count):
        x, y = _somewhere_inside(rng, lesion, 0.85)
        long = float(rng.uniform(*radius)) * lesion.radius
        spots.append((x, y, long, long * rng.uniform(0.6, 1.0), rng.uniform(0, np.pi)))
    return draw_spots(spots, size, softness=softness)


def _paint_lesion(
    rng: np.random.Generator, lesion: Attributes, shape: Shape, size: int
) -> tuple[Picture, Field, Field]:
    """Colour, relief and shine of the lesion. (3, S, S), (S, S), (S, S)."""
    strength = lesion.strengths
    body = _body(rng, lesion, shape, size)
    dome = np.sqrt(np.clip(1 - shape.reach**2, 0, 1)) * np.float32(0.10)
    plateau = shape.inside * np.float32(0.05)
    height = (dome * (1 - lesion.sharpness) + plateau) * np.float32(lesion.elevation)
    shine = np.full((size, size), 0.10, dtype=np.float32)

    if strength["pearly"]:
        veil = np.clip(smooth_noise(rng, size, 7) * 0.3 + 0.45, 0, 1) * strength["pearly"]
        body = mix(body, PEARL * SKIN[lesion.fitzpatrick - 1] / SKIN[1], veil * np.float32(0.55))
        shine += np.float32(0.55 * strength["pearly"])
    if strength["ridges"]:
        furrow = ridges(rng, size, int(rng.integers(18, 30)))
        grain = fractal_noise(rng, size, 30, 2)
        body = mix(body, body * np.float32(0.42), (1 - furrow) * np.float32(strength["ridges"]))
        height += (furrow * np.float32(0.022) + grain * np.float32(0.004)) * strength["ridges"]
    if strength["rolled"]:
        ring = np.exp(-(((shape.reach - 0.88) / 0.13) ** 2)) * np.float32(strength["rolled"])
        body = mix(body, PEARL * SKIN[lesion.fitzpatrick - 1] / SKIN[1], ring * np.float32(0.45))
        height += ring * np.float32(0.045)
        shine += ring * np.float32(0.35)
    if strength["nests"]:
        nests = _spots(rng, lesion, size, 2 + int(7 * strength["nests"]), (0.07, 0.20), 0.010)
        body = mix(body, SLATE, nests * np.float32(0.40 + 0.4 * strength["nests"]))
    if strength["vessels"]:
        tree = _vessel_tree(rng, lesion, size)
        body = mix(body, VESSEL, tree * np.float32(0.30 + 0.5 * strength["vessels"]))
    if strength["milia"]:
        cysts = _spots(rng, lesion, size, 4 + int(14 * strength["milia"]), (0.025, 0.06), 0.003)
        body = mix(body, CYST, cysts * np.float32(0.45 + 0.45 * strength["milia"]))
    if strength["comedo"]:
        plugs = _spots(rng, lesion, size, 4 + int(12 * strength["comedo"]), (0.035, 0.085), 0.002)
        body = mix(body, PLUG, plugs * np.float32(0.5 + 0.4 * strength["comedo"]))
        height -= plugs * np.float32(0.018)
    if strength["ulcer"]:
        reach = shape.reach + 0.22 * fractal_noise(rng, size, 6, 3)
        extent = 0.25 + 0.35 * strength["ulcer"]
        wound = np.clip((extent - reach) * 9, 0, 1).astype(np.float32)
        floor = mix(np.broadcast_to(BLOOD, body.shape), CRUST, fractal_noise(rng, size, 9, 3))
        body = mix(body, floor, wound)
        height += wound * (fractal_noise(rng, size, 26, 2) * np.float32(0.012) - np.float32(0.02))
        shine += wound * np.float32(0.25)
    return body, height, shine


def paint(
    rng: np.random.Generator, lesion: Attributes, size: int
) -> tuple[Image.Image, npt.NDArray[np.bool_]]:
    """Paint the lesion as an RGB image of size x size pixels, with its mask (S, S)."""
    # The outline first: two pictures of one lesion, taken differently, share it.
    shape = _shape(rng, lesion, size)
    skin, skin_height = _skin(rng, lesion, size)
    body, height, shine = _paint_lesion(rng, lesion, shape, size)
    halo = np.clip(1.25 - shape.reach, 0, 1) * np.float32(rng.uniform(0, 0.5))
    picture = mix(skin, skin * rgb(0.98, 0.80, 0.78), halo.astype(np.float32))
    # A thin shadow under the edge of what sits on the skin.
    shadow = blurred(shape.inside, 0.012 * size) * np.float32(0.28 * lesion.sharpness)
    picture = picture * (1 - shadow * (1 - shape.inside))
    picture = mix(picture, body, shape.inside)
    relief = skin_height * (1 - np.float32(0.7) * shape.inside) + height * shape.inside
    picture = lit(rng, picture.astype(np.float32), relief, shine * shape.inside)
    picture = with_hairs(rng, picture.astype(np.float32), lesion)
    return photographed(rng, picture.astype(np.float32), lesion), shape.reach <= 1
