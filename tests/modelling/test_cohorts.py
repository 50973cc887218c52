"""Copies of training images, colours as numbers, and the parts of a cohort."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.modelling.cohorts import TrainingImage, TrainingImages, sort_into_cohorts
from app.modelling.colour_contrast import colour_contrast, lab
from app.modelling.labelled_images import read_labelled_images
from app.statistics.logistic import expit
from app.statistics.model_cohort import cohort_accuracy
from app.statistics.model_subgroups import age_group, cohort_parts
from tests.modelling.conftest import Rows, nothing, patients

Cohort = Callable[[Rows], tuple[Path, Path]]


def test_a_copy_of_a_training_image_under_another_name_is_set_aside(cohort: Cohort) -> None:
    rows = patients(3, images=1)
    table, folder = cohort(rows)
    # Smooth pictures, whose perceptual hash survives another compression.
    for number, row in enumerate(rows):
        ramp = np.add.outer(np.arange(96) * (number + 1), np.arange(80) * (3 - number)) % 256
        Image.fromarray(ramp.astype(np.uint8)).convert("RGB").save(folder / row["image"])
    read = read_labelled_images(table, folder, nothing)
    known = read.images[0]
    seen = TrainingImage("first.jpg", "train", "0" * 64, known.perceptual_hash ^ 0b11, "")
    cohorts = sort_into_cohorts(read.images, TrainingImages((seen,), "0" * 64))
    assert cohorts.names == (None, "external", "external")
    assert "copy of first.jpg in the model's train part" in cohorts.set_aside[0].reason
    patient = hashlib.sha256(b"another").hexdigest()
    stranger = TrainingImage("x.jpg", "train", "1" * 64, None, patient)
    assert sort_into_cohorts(read.images, TrainingImages((stranger,), None)).set_aside == ()


def test_colours_are_those_of_the_cie() -> None:
    # sRGB primaries in CIELAB (D65), as tabulated by Lindbloom, brucelindbloom.com.
    red, green, white, black = lab(
        np.array([[255, 0, 0], [0, 255, 0], [255, 255, 255], [0, 0, 0]], dtype=np.float64)
    )
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert green == pytest.approx([87.73, -86.18, 83.18], abs=0.02)
    assert white == pytest.approx([100, 0, 0], abs=0.02)
    assert black == pytest.approx([0, 0, 0], abs=0.02)


def test_a_lesion_of_the_skins_colour_has_no_contrast_and_a_black_frame_adds_none() -> None:
    skin = np.full((90, 120, 3), (200, 150, 130), dtype=np.uint8)
    assert colour_contrast(Image.fromarray(skin)) == pytest.approx(0, abs=1e-9)
    skin[20:70, 35:85] = (90, 60, 50)
    marked = colour_contrast(Image.fromarray(skin))
    assert marked > 25
    rows, columns = np.mgrid[:90, :120]
    skin[np.hypot(rows - 44.5, columns - 59.5) > 46] = 0  # the corners of a dermoscope's field
    assert colour_contrast(Image.fromarray(skin)) == pytest.approx(marked, rel=0.15)


def test_small_parts_are_counted_and_not_computed() -> None:
    rng = np.random.default_rng(4)
    truth = np.arange(60) % 2 == 0
    scores = np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0.01, 0.99)
    sites = ["face" if number < 50 else "leg" if number < 58 else None for number in range(60)]
    found = cohort_parts(scores, scores >= 0.5, truth, [str(n) for n in range(60)], sites)
    assert list(found.parts) == ["face", "leg"]
    face, leg = found.parts["face"], found.parts["leg"]
    assert face.auc is not None
    assert (face.n.positive_images, face.n.negative_images) == (25, 25)
    assert (leg.auc, leg.sensitivity, leg.n.images, found.unknown.images) == (None, None, 8, 2)
    assert "in: leg" in found.notes[0].text
    groups = [age_group(age) for age in (None, 49, 50, 64, 65, 80)]
    assert groups == [None, "0 to 49", "50 to 64", "50 to 64", "65 to 79", "80 and over"]


def test_a_model_so_sure_that_its_probabilities_are_one_keeps_the_order_of_its_images() -> None:
    truth = np.arange(40) % 2 == 0
    margins = np.where(truth, 60.0, 50.0) + np.arange(40) / 10
    found = cohort_accuracy(
        margins, truth, [str(n) for n in range(40)], threshold=0.5, alternatives={}
    )
    assert set(expit(margins)) == {1.0}
    assert found.auc.value == 1
    assert found.specificity.value == 0
    assert expit(np.array([-800.0, 0.0, 800.0])).tolist() == [0, 0.5, 1]
