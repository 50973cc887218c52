"""The overlay lies where the network looked, in the right colour, on one scale."""

import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.geometry import centre_square
from models.overlay import (
    FOR_BCC,
    FOR_SK,
    explained_picture,
    laid_over,
    legend,
    opacity_of,
    overlay_size,
    render_overlay,
)
from models.preprocess import Preprocessing


def pixels_of(png: bytes) -> npt.NDArray[np.uint8]:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (500, 500), (301, 200)])
def test_outside_the_crop_the_overlay_is_fully_transparent(size: tuple[int, int]) -> None:
    pixels = pixels_of(render_overlay(np.ones((14, 14)), *size, scale=1.0))
    assert pixels.shape == (size[1], size[0], 4)
    left, top, right, bottom = centre_square(*size)
    outside = np.ones(size[::-1], dtype=bool)
    outside[int(top) : int(bottom + 0.5), int(left) : int(right + 0.5)] = False
    assert pixels[outside].sum() == 0
    assert (pixels[~outside][..., 3] > 0).mean() > 0.98


@pytest.mark.parametrize("size", [(640, 480), (300, 700), (224, 224)])
@pytest.mark.parametrize("place", [(0, 0), (3, 11), (13, 13), (7, 2)])
def test_a_field_lands_on_the_pixels_it_was_computed_from(
    size: tuple[int, int], place: tuple[int, int]
) -> None:
    # Light one patch of the network's view, and find the same place in the original.
    width, height = size
    left, top, right, _ = centre_square(width, height)
    patch = (right - left) / 14
    centre_x, centre_y = left + (place[1] + 0.5) * patch, top + (place[0] + 0.5) * patch
    photograph = np.zeros((height, width, 3), dtype=np.uint8)
    photograph[
        round(centre_y - patch / 2) : round(centre_y + patch / 2),
        round(centre_x - patch / 2) : round(centre_x + patch / 2),
    ] = 255
    view = Preprocessing(224, (0, 0, 0), (1, 1, 1)).crop(Image.fromarray(photograph))
    fields = np.asarray(view.convert("L")).reshape(14, 16, 14, 16).mean(axis=(1, 3)) / 255
    assert np.unravel_index(fields.argmax(), fields.shape) == place
    alpha = pixels_of(render_overlay(fields, width, height, scale=1.0))[..., 3].astype(float)
    rows, columns = np.mgrid[:height, :width]
    assert (alpha * columns).sum() / alpha.sum() == pytest.approx(centre_x, abs=patch / 2)
    assert (alpha * rows).sum() / alpha.sum() == pytest.approx(centre_y, abs=patch / 2)


def test_positive_is_orange_and_negative_is_blue() -> None:
    cam = np.zeros((14, 14))
    cam[:, :5], cam[:, 9:] = 1.0, -1.0
    pixels = pixels_of(render_overlay(cam, 280, 280, scale=1.0))
    assert tuple(pixels[140, 20, :3]) == FOR_BCC
    assert tuple(pixels[140, 260, :3]) == FOR_SK
    assert pixels[140, 140, 3] == 0


def test_opacity_grows_with_the_value_and_stops_at_the_scale() -> None:
    def opacity(value: float) -> int:
        return int(
            pixels_of(render_overlay(np.full((14, 14), value), 56, 56, scale=2.0))[28, 28, 3]
        )

    opacities = [opacity(value) for value in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert opacities == sorted(set(opacities))
    assert opacities[0] == 0
    assert opacity(50.0) == opacities[-1]
    assert opacity(-1.0) == opacity(1.0)


def test_between_the_steps_a_value_takes_the_nearer_one() -> None:
    cam = np.linspace(-2.5, 2.5, 14 * 14).reshape(14, 14)
    values = np.asarray(
        Image.fromarray(cam.astype(np.float32)).resize((90, 90), Image.Resampling.BILINEAR)
    )
    pixels = pixels_of(render_overlay(cam, 90, 90, scale=2.0))
    expected = np.round(opacity_of(values.astype(np.float64), 2.0) * 255)
    # At a tie between two steps, single precision may choose the other one.
    assert (pixels[..., 3] == expected).mean() > 0.999
    assert np.abs(pixels[..., 3] - expected).max() <= np.ceil(0.72 * 255 / 24)
    seen = pixels[..., 3] > 0
    colours = np.where((values > 0)[..., None], FOR_BCC, FOR_SK)
    assert (pixels[seen][:, :3] == colours[seen]).all()


def test_the_legend_shows_what_the_overlay_draws() -> None:
    stops = legend(0.3)
    assert [stop.value for stop in stops] == pytest.approx([-0.3, -0.15, 0, 0.15, 0.3])
    for stop in stops:
        drawn = pixels_of(render_overlay(np.full((2, 2), stop.value), 32, 32, scale=0.3))[16, 16]
        assert drawn[3] == round(stop.opacity * 255)
        if stop.opacity:
            assert tuple(drawn[:3]) == stop.colour


@given(
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
)
@settings(max_examples=15)
def test_every_size_keeps_its_aspect(width: int, height: int) -> None:
    shown = overlay_size(width, height)
    assert max(shown) == min(768, max(width, height))
    assert pixels_of(render_overlay(np.eye(14), width, height, scale=1.0)).shape[:2] == shown[::-1]


def test_a_busy_overlay_stays_small() -> None:
    cam = np.random.default_rng(0).normal(0, 1, (14, 14))
    assert len(render_overlay(cam, 768, 768, scale=2.0)) < 150_000


@pytest.mark.parametrize("size", [(640, 480), (200, 300)])
def test_a_picture_with_its_legend_shows_photograph_map_scale_and_how_coarse_it_is(
    size: tuple[int, int],
) -> None:
    photograph = Image.new("RGB", size, (120, 120, 120))
    cam = np.zeros((14, 14))
    cam[:, :7], cam[:, 7:] = 1.0, -1.0
    overlay = render_overlay(cam, *size, scale=1.0)
    plain = np.asarray(laid_over(photograph, overlay)).astype(int)
    assert plain.shape == (size[1], size[0], 3)
    middle, left = size[1] // 2, size[0] // 2 - min(size) // 4
    assert plain[middle, left, 0] > plain[middle, left, 2]  # orange where it speaks for BCC
    assert plain[middle, size[0] - left, 2] > plain[middle, size[0] - left, 0]
    png = explained_picture(photograph, overlay, scale=1.0, grid=(14, 14))
    sheet = Image.open(io.BytesIO(png))
    assert sheet.mode == "RGB"
    assert sheet.width >= max(size[0], 420)
    bar = np.asarray(sheet)[size[1] + 15].astype(int)  # a row of the colour bar
    coloured = bar[(bar != 255).any(axis=1)]
    assert coloured[0, 2] > coloured[0, 0]  # it begins with blue
    assert coloured[-1, 0] > coloured[-1, 2]  # and ends with orange
    text = np.asarray(sheet.convert("L"))[size[1] + 24 :]
    assert (text < 80).sum() > 500
