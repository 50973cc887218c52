"""Quality numbers and the perceptual hash, on made pictures whose answer is known."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from app.image_quality import flags, hash_distance, measure, perceptual_hash
from app.imaging import CleanImage, ImageCleaner, clean_image

SAME_LIMIT = 6  # bits
# imagehash.phash 4.3.2 (Pillow 13) of the three pictures below.
IMAGEHASH = ("94a70473aeeb4669", "ea2a513cfe5087e1", "8308fc4e5e2e5fc4")


def drawing(seed: int = 1, size: int = 600, mean: float = 140) -> Image.Image:
    """Make a picture with coarse shapes (for the hash) and grain (for sharpness)."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 6), dtype=np.uint8))
    shapes = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=float)
    grain = random.normal(0, 12, (size, size))
    levels = np.clip(mean + 0.3 * (shapes - 128) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(levels).convert("RGB")


def codes(image: Image.Image) -> set[str]:
    return {flag.code for flag in flags(measure(image))}


def saved(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue()))


def test_a_sharp_well_lit_picture_has_no_flag() -> None:
    assert flags(measure(drawing())) == ()


def test_sharpness_is_the_variance_of_the_laplacian_by_hand() -> None:
    # Stripes one pixel wide, 0 and 100: each Laplacian is +200 or -200, so the variance is 200^2.
    levels = np.tile(np.array([0, 100], dtype=np.uint8), (100, 50))
    quality = measure(Image.fromarray(levels).convert("RGB"))
    assert quality.sharpness == pytest.approx(40000, rel=1e-3)
    assert quality.luminance == pytest.approx(50, abs=1)
    assert quality.contrast == pytest.approx(50, abs=0.1)
    assert quality.dark_share == pytest.approx(0.5, abs=0.01)


def test_a_blurred_picture_is_flagged_with_its_number_and_limit() -> None:
    blurred = drawing().filter(ImageFilter.GaussianBlur(6))
    (flag,) = flags(measure(blurred))
    assert (flag.code, flag.limit) == ("blur", 15.0)
    assert flag.number < 15
    assert f"{flag.number:.1f}" in flag.sentence


def test_more_megapixels_of_the_same_picture_change_its_sharpness_little() -> None:
    small = drawing(size=900).filter(ImageFilter.GaussianBlur(2))
    large = small.resize((2700, 2700), Image.Resampling.BICUBIC)
    assert measure(large).sharpness == pytest.approx(measure(small).sharpness, rel=0.1)


@pytest.mark.parametrize(("side", "found"), [(223, {"size"}), (224, set())])
def test_a_picture_smaller_than_the_models_input_is_flagged(side: int, found: set[str]) -> None:
    assert codes(drawing(size=side)) == found


@pytest.mark.parametrize(
    ("factor", "word"), [(0.1, "dark"), (1.0, None), (1.7, "bright"), (3.0, "white in parts")]
)
def test_poor_exposure_is_flagged(factor: float, word: str | None) -> None:
    found = flags(measure(ImageEnhance.Brightness(drawing()).enhance(factor)))
    exposure = [flag.sentence for flag in found if flag.code == "exposure"]
    assert (exposure == []) if word is None else any(s.startswith(word) for s in exposure)


def test_the_black_corners_of_a_dermoscope_are_not_underexposure() -> None:
    image = drawing()
    y, x = np.ogrid[:600, :600]
    levels = np.asarray(image).copy()
    levels[(x - 300) ** 2 + (y - 300) ** 2 > 300**2] = 0
    assert codes(Image.fromarray(levels)) == set()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (2, 3)])
def test_the_smallest_picture_has_finite_numbers(size: tuple[int, int]) -> None:
    quality = measure(Image.new("RGB", size, "grey"))
    assert quality.sharpness == 0
    assert 0 <= perceptual_hash(Image.new("RGB", size, "grey")) < 2**64


# --- the hash ---


def test_the_hash_survives_what_happens_to_a_file_on_its_way() -> None:
    image = drawing()
    kept = perceptual_hash(image)
    changed = {
        "re-encoded": saved(image, quality=20),
        "halved": image.resize((300, 300)),
        "doubled": image.resize((1200, 1200)),
        "brighter": ImageEnhance.Brightness(image).enhance(1.2),
        "darker": ImageEnhance.Brightness(image).enhance(0.7),
        "paler": ImageEnhance.Color(image).enhance(0.3),
        "cropped by a hundredth": image.crop((3, 3, 597, 597)),
    }
    distances = {how: hash_distance(kept, perceptual_hash(now)) for how, now in changed.items()}
    assert max(distances.values()) <= SAME_LIMIT, distances


def test_another_picture_lies_far_away() -> None:
    hashes = [perceptual_hash(drawing(seed)) for seed in range(12)]
    between = [hash_distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(between) > SAME_LIMIT


def test_a_mirrored_or_turned_copy_is_not_recognised() -> None:
    """The hash's limit, told in the manual."""
    image = drawing()
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert hash_distance(perceptual_hash(image), perceptual_hash(mirrored)) > SAME_LIMIT


def test_the_bits_are_those_of_the_library_imagehash() -> None:
    random = np.random.default_rng(7)
    for expected in IMAGEHASH:
        levels = random.integers(0, 256, (40, 56, 3), dtype=np.uint8)
        assert f"{perceptual_hash(Image.fromarray(levels)):016x}" == expected


def test_the_distance_counts_the_bits_that_differ() -> None:
    assert hash_distance(0, 2**64 - 1) == 64
    assert hash_distance(0b1011, 0b1101) == 2
    assert hash_distance(5, 5) == 0


# --- through the decoding process ---


def test_the_decoding_process_gives_the_same_measures_as_this_one() -> None:
    out = io.BytesIO()
    drawing(size=300).save(out, "PNG")
    here = clean_image(out.getvalue())
    with ImageCleaner(1) as cleaner:
        there = cleaner.clean("drawing.png", out.getvalue())
    assert isinstance(there, CleanImage)
    assert there == here
    assert here.quality == measure(drawing(size=300))
    assert here.perceptual_hash == perceptual_hash(drawing(size=300))


def test_the_size_that_counts_is_the_one_delivered() -> None:
    out = io.BytesIO()
    drawing(size=2400).save(out, "JPEG", quality=60)
    clean = clean_image(out.getvalue())
    assert (clean.width, clean.quality.shorter_side) == (2048, 2400)


@pytest.mark.photographs
def test_of_the_real_photographs_few_are_flagged_and_one_picture_is_there_twice() -> None:
    folder = os.environ.get("REREAD_TEST_IMAGES")
    if folder is None:
        pytest.skip("REREAD_TEST_IMAGES names no folder")
    files = sorted((Path(folder) / "images").iterdir())
    if len(files) != 440:
        pytest.skip("another set of photographs")
    images = [Image.open(file).convert("RGB") for file in files]
    flagged = [codes(image) for image in images]
    counts = {
        code: sum(code in found for found in flagged) for code in ("blur", "size", "exposure")
    }
    assert (counts, sum(map(bool, flagged))) == ({"blur": 10, "size": 2, "exposure": 3}, 14)
    hashes = [perceptual_hash(image) for image in images]
    alike = [
        {files[i].stem, files[j].stem}
        for i, a in enumerate(hashes)
        for j, b in enumerate(hashes[:i])
        if hash_distance(a, b) <= SAME_LIMIT
    ]
    assert alike == [{"PAT_701_1321_156", "PAT_701_4056_457"}]
