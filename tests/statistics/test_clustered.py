"""Clustered areas and shares against R (clustered.R), and against DeLong and Wilson."""

import csv
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from reference_data import FOLDER, pair

from app.statistics.clustered import clustered_auc, clustered_auc_difference
from app.statistics.clustered_calibration import calibration_curve, clustered_calibration
from app.statistics.clustered_means import (
    ClusteredProportion,
    clustered_mean,
    clustered_proportion,
)
from app.statistics.proportions import proportion
from app.statistics.roc import auc, auc_difference

R: dict[str, Any] = json.loads((FOLDER / "clustered.R.json").read_text())
with (FOLDER / "data" / "clustered.csv").open() as file:
    ROWS = list(csv.DictReader(file))
PATIENT = [row["patient"] for row in ROWS]
TRUTH = np.array([row["truth"] == "1" for row in ROWS])
FIRST = np.array([float(row["first"]) for row in ROWS])
SECOND = np.array([float(row["second"]) for row in ROWS])
CALLED = FIRST >= 0.5


@pytest.mark.parametrize(("name", "scores"), [("auc_first", FIRST), ("auc_second", SECOND)])
def test_the_area_and_its_error_by_patient_are_those_of_the_printed_formulas(
    name: str, scores: np.ndarray
) -> None:
    found = clustered_auc(scores, TRUTH, PATIENT)
    assert [found.value, found.se] == pytest.approx(R[name], abs=1e-13)
    n = found.n
    counted = [n.positive_images, n.negative_images, n.patients]
    assert [*counted, n.positive_patients, n.negative_patients] == R["counts"]


def test_the_difference_of_two_areas_by_patient_is_that_of_the_printed_formulas() -> None:
    found = clustered_auc_difference(FIRST, SECOND, TRUTH, PATIENT)
    assert [found.difference, found.se] == pytest.approx(R["auc_difference"], abs=1e-13)
    assert found.z == pytest.approx(R["auc_difference"][0] / R["auc_difference"][1])


@pytest.mark.parametrize("name", ["d01_tiny_ties", "d03_rating5", "d04_continuous200"])
def test_with_one_image_a_patient_the_area_is_delongs_to_the_last_digits(name: str) -> None:
    data = pair(name)
    alone = [str(index) for index in range(data.truth.size)]
    expected, found = auc(data.truth, data.aided), clustered_auc(data.aided, data.truth, alone)
    for field in ("value", "se", "low", "high"):
        assert getattr(found, field) == pytest.approx(getattr(expected, field), abs=1e-12)
    two = auc_difference(data.truth, data.unaided, data.aided)
    by_patient = clustered_auc_difference(data.unaided, data.aided, data.truth, alone)
    for field in ("difference", "se", "z", "p", "low", "high"):
        assert getattr(by_patient, field) == pytest.approx(getattr(two, field), abs=1e-12)


def test_images_taken_for_independent_make_the_interval_too_short_here() -> None:
    alone = clustered_auc(FIRST, TRUTH, [str(index) for index in range(len(PATIENT))])
    assert [alone.value, alone.se] == pytest.approx(R["delong_first"], abs=1e-12)
    by_patient = clustered_auc(FIRST, TRUTH, PATIENT)
    assert by_patient.se is not None
    assert alone.se is not None
    assert by_patient.se > 1.15 * alone.se


def test_every_image_twice_changes_neither_area_nor_error() -> None:
    once = clustered_auc(FIRST, TRUTH, PATIENT)
    twice = clustered_auc(np.tile(FIRST, 2), np.tile(TRUTH, 2), PATIENT * 2)
    assert (twice.value, twice.se) == pytest.approx((once.value, once.se), abs=1e-13)


def test_a_perfect_area_has_a_point_and_beside_it_an_interval_by_patients() -> None:
    found = clustered_auc(TRUTH.astype(np.float64), TRUTH, PATIENT)
    assert (found.value, found.se, found.low, found.high) == (1, 0, 1, 1)
    assert found.alternative is not None
    assert 0.8 < found.alternative.low < 1
    assert found.notes[0].code == "perfect_separation"
    assert found.to_read == found.alternative, "a point is not an interval to read"


def test_identical_scores_differ_by_nothing_with_p_one() -> None:
    found = clustered_auc_difference(FIRST, FIRST, TRUTH, PATIENT)
    assert (found.difference, found.z, found.p) == (0, 0, 1)


def test_one_patient_of_a_class_gives_an_area_without_error() -> None:
    truth = np.array([True, True, False, False])
    scores = np.array([0.9, 0.4, 0.5, 0.1])
    found = clustered_auc(scores, truth, ["a", "a", "b", "c"])
    assert (found.value, found.se, found.low) == (0.75, None, None)
    assert "2 positive images of 1 patients" in found.notes[0].text
    nobody = clustered_auc(scores, np.zeros(4, dtype=bool), list("abcd"))
    assert (nobody.value, nobody.notes[0].code) == (None, "too_few_patients")


@pytest.mark.parametrize(
    ("name", "right", "among"),
    [
        ("sensitivity", CALLED, TRUTH),
        ("specificity", ~CALLED, ~TRUTH),
        ("ppv", TRUTH, CALLED),
        ("npv", ~TRUTH, ~CALLED),
    ],
)
def test_shares_have_the_cluster_robust_error_of_sandwich(
    name: str, right: np.ndarray, among: np.ndarray
) -> None:
    found: ClusteredProportion = clustered_proportion(right, among, PATIENT)
    assert [found.numerator, found.denominator, found.patients] == R[name][:3]
    values = [found.value, found.se, found.design_effect, found.low, found.high]
    assert values == pytest.approx(R[name][3:], abs=1e-12)


def test_the_brier_score_has_the_cluster_robust_error_of_sandwich() -> None:
    found = clustered_mean((FIRST - TRUTH) ** 2, PATIENT)
    assert [found.value, found.se] == pytest.approx(R["brier"], abs=1e-13)


def test_with_one_image_a_patient_a_share_has_wilsons_interval() -> None:
    alone = [str(index) for index in range(len(PATIENT))]
    found = clustered_proportion(CALLED, TRUTH, alone)
    expected = proportion(found.numerator, found.denominator)
    assert found.design_effect == pytest.approx(1)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_of_one_counts_patients_and_one_patient_has_no_interval() -> None:
    everyone = np.ones(6, dtype=bool)
    found = clustered_proportion(everyone, everyone, list("aabbcc"))
    assert (found.value, found.low) == (1, pytest.approx(proportion(3, 3).low))
    alone = clustered_proportion(everyone, everyone, ["a"] * 6)
    assert (alone.value, alone.low, alone.notes[0].code) == (1, None, "one_patient")
    nothing = clustered_proportion(everyone, ~everyone, ["a"] * 6)
    assert (nothing.value, nothing.denominator) == (None, 0)


def test_calibration_has_the_estimates_of_glm_and_the_errors_of_sandwich() -> None:
    found = clustered_calibration(FIRST, TRUTH, PATIENT)
    intercept, slope = found.intercept, found.slope
    values = [intercept.value, slope.value, intercept.se, slope.se]
    assert values == pytest.approx(R["calibration"], abs=1e-9)
    assert [found.in_the_large.value, found.in_the_large.se] == pytest.approx(
        R["in_the_large"], abs=1e-9
    )


def test_the_calibration_curve_has_groups_of_equal_size_that_hold_every_image() -> None:
    curve = calibration_curve(FIRST, TRUTH, PATIENT)
    assert [group.observed.denominator for group in curve] == [18] * 5 + [17] * 5
    assert sum(group.observed.numerator for group in curve) == TRUTH.sum()
    assert all(one.highest <= two.lowest for one, two in pairwise(curve))
    assert calibration_curve(FIRST[:9], TRUTH[:9], PATIENT[:9]) == ()


def test_certain_probabilities_have_no_calibration_line_but_a_brier_score() -> None:
    found = clustered_calibration(TRUTH.astype(np.float64), TRUTH, PATIENT)
    assert (found.slope.value, found.intercept.value, found.brier.value) == (None, None, 0)
    assert found.notes[0].code == "certain_probabilities"
