"""Light, hair and camera: what happens to a painted lesion before it is a photograph."""

import math

import numpy as np
from PIL import Image, ImageFilter

from models.synthetic.attributes import Attributes
from models.synthetic.colour import Picture, mix, rgb
from models.synthetic.texture import Field, draw_paths, happens, wandering_path

HAIR = rgb(0.13, 0.10, 0.09)


def lit(rng: np.random.Generator, picture: Picture, height: Field, shine: Field) -> Picture:
    """Shade the relief with one light from the side, and add its reflections."""
    size = height.shape[0]
    down, right = np.gradient(height * np.float32(size))  # slope: height per image fraction
    normal = np.sqrt(1 + right**2 + down**2)
    angle, sideways = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.35, 0.6))
    up = math.sqrt(1 - sideways**2)
    towards_x, towards_y = sideways * math.cos(angle), sideways * math.sin(angle)
    facing = (up - right * towards_x - down * towards_y) / normal
    picture = picture * (np.float32(0.45) + np.float32(0.55) * facing / up)
    # Half-way vector between the light and a viewer straight above (Blinn 1977).
    half = math.sqrt(towards_x**2 + towards_y**2 + (1 + up) ** 2)
    mirror = np.clip((1 + up - right * towards_x - down * towards_y) / half / normal, 0, 1)
    gloss = (mirror**60 - np.float32(0.25)).clip(0) * shine
    return picture + gloss * np.float32(0.75)


def with_hairs(rng: np.random.Generator, picture: Picture, lesion: Attributes) -> Picture:
    """Lay some hairs over it, or none."""
    size = picture.shape[-1]
    if happens(rng, 0.55):
        return picture
    paths: list[tuple[list[tuple[float, float]], float]] = []
    heading = rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(2, 16))):
        start = (float(rng.uniform(-0.1, 1.1)), float(rng.uniform(-0.1, 1.1)))
        bend = wandering_path(rng, start, float(heading + rng.normal(0, 0.5)), 0.6, 0.12)
        paths.append((bend, float(rng.uniform(0.002, 0.005))))
    hairs = draw_paths(paths, size, softness=0.001)
    colour = HAIR if lesion.fitzpatrick > 1 or happens(rng, 0.5) else HAIR * np.float32(3.5)
    return mix(picture, colour, hairs * np.float32(rng.uniform(0.5, 0.9)))


def photographed(rng: np.random.Generator, picture: Picture, lesion: Attributes) -> Image.Image:
    """Exposure, colour cast, vignette, blur and sensor noise."""
    size = picture.shape[-1]
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    if lesion.modality == "dermoscopic":
        from_centre = np.hypot(x, y)
        picture = picture * (1 - np.float32(0.10) * from_centre**2)
        rim = float(rng.uniform(1.02, 1.5))  # the round field of some dermatoscopes
        picture = picture * (1 - np.clip((from_centre - rim) * 30, 0, 1) * 0.93)
        picture = (picture - 0.5) * np.float32(1.08) + np.float32(0.52)
    else:
        slope = [float(value) for value in rng.normal(0, 0.13, 2)]
        picture = picture * (1 + slope[0] * x + slope[1] * y)
    cast = 1 + rng.normal(0, 0.03, (3, 1, 1)).astype(np.float32)
    picture = picture * cast * np.float32(rng.uniform(0.82, 1.14))
    rows = np.ascontiguousarray(np.clip(picture, 0, 1).transpose(1, 2, 0))  # (S, S, 3)
    flat = Image.fromarray((rows * 255).astype(np.uint8))
    radius = max(0.0, rng.normal(0.0022, 0.0016)) * size
    flat = flat.filter(ImageFilter.GaussianBlur(radius))
    grain = rng.normal(0, rng.uniform(1.0, 4.0), (size, size, 1)).astype(np.float32)
    noisy = np.clip(np.asarray(flat, dtype=np.float32) + grain, 0, 255)
    return Image.fromarray(noisy.astype(np.uint8))
