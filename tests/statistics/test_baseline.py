"""The baseline table's tests are those of R (further.R), chosen as the paper's methods say."""

import json
from typing import Any

import numpy as np
import pytest
from reference_data import FOLDER, pair

from app.statistics.baseline import (
    categorical_baseline,
    levene,
    mann_whitney,
    numeric_baseline,
    student,
    welch,
)
from app.statistics.exact_table import fisher

R: dict[str, Any] = json.loads((FOLDER / "further.R.json").read_text())
DATA = pair("d04_continuous200")
POSITIVE, NEGATIVE = DATA.unaided[DATA.truth], DATA.unaided[~DATA.truth]


def test_each_test_is_that_of_r() -> None:
    assert levene(POSITIVE, NEGATIVE) == pytest.approx(R["levene_median"], abs=1e-9)
    t, _, p = student(POSITIVE, NEGATIVE)
    assert [t, p] == pytest.approx(R["student"], rel=1e-9)
    assert welch(POSITIVE, NEGATIVE) == pytest.approx(R["welch"], rel=1e-9)
    assert mann_whitney(POSITIVE, NEGATIVE) == pytest.approx(R["mann_whitney"], rel=1e-9)
    summary = numeric_baseline(DATA.unaided, DATA.truth).first
    assert [summary.shapiro_w, summary.shapiro_p] == pytest.approx(R["shapiro_positive"], abs=1e-6)


def test_the_distribution_chooses_the_test() -> None:
    rng = np.random.default_rng(5)
    first = np.arange(80) < 40
    normal = rng.normal(size=80)
    assert numeric_baseline(normal, first).test == "Student"
    assert numeric_baseline(np.where(first, 5 * normal, normal), first).test == "Welch"
    assert numeric_baseline(np.exp(3 * normal), first).test == "Mann-Whitney"


def labelled(table: list[list[int]]) -> tuple[tuple[str, ...], np.ndarray]:
    labels, first = [], []
    for category, counts in enumerate(table):
        for group, count in enumerate(counts):
            labels += [f"k{category}"] * count
            first += [group == 0] * count
    return tuple(labels), np.array(first)


def test_categories_are_tested_by_chi_squared_or_fisher() -> None:
    large = categorical_baseline(*labelled([[12, 5], [7, 14], [3, 9]]))
    assert [large.statistic, large.p] == pytest.approx(R["chi2_2x3"], rel=1e-9)
    two = categorical_baseline(*labelled([[12, 5], [7, 14]]))
    assert (two.test, two.p) == ("chi-squared", pytest.approx(R["chi2_2x2_uncorrected"], rel=1e-9))
    small = categorical_baseline(*labelled([[3, 1], [2, 6], [1, 4]]))
    assert (small.test, small.p) == ("Fisher", pytest.approx(R["fisher_2x3"], rel=1e-9))


def test_fisher_is_that_of_r_for_any_shape() -> None:
    assert fisher(((3, 2), (1, 6))) == pytest.approx(R["fisher_2x2"], rel=1e-9)
    assert fisher(((3, 6, 0), (1, 1, 2), (2, 4, 5))) == pytest.approx(R["fisher_3x3"], rel=1e-9)
    assert fisher(((500, 500, 400), (300, 900, 700), (100, 200, 300))) is None


def test_nothing_to_test_is_said() -> None:
    same = numeric_baseline(np.ones(6), np.arange(6) < 3)
    assert (same.p, same.notes[0].code) == (None, "no_spread")
    one = categorical_baseline(("a",) * 6, np.arange(6) < 3)
    assert (one.p, one.notes[0].code) == (None, "no_spread")
