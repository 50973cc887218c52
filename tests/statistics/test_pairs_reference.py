"""Every number of pairs_reference.json (pROC, Hmisc, base R), to 1e-9."""

from math import inf
from typing import Any

import numpy as np
import pytest
from reference_data import PAIRS, pair

from app.statistics.arrays import Bools, Floats
from app.statistics.covariance import Crossed
from app.statistics.intervals import (
    agresti_coull_interval,
    exact_interval,
    jeffreys_interval,
    wald_interval,
)
from app.statistics.logistic import refit_scores
from app.statistics.proportions import mcnemar, proportion
from app.statistics.reclassification import (
    Improvement,
    categories,
    integrated_discrimination,
    net_reclassification,
    reclassification_table,
)
from app.statistics.roc import auc, auc_difference, unpaired_auc_difference
from app.statistics.roc_curve import roc_curve, youden_point

NAMES = sorted(PAIRS)
EXACT: dict[str, float] = {"abs": 1e-9, "rel": 1e-9}


INTERVALS = {
    "exact": exact_interval,
    "agresti_coull": agresti_coull_interval,
    "wald": wald_interval,
    "jeffreys": jeffreys_interval,
}


def near(expected: Any) -> Any:  # noqa: ANN401 - whatever the JSON holds
    if expected == "NaN":
        return None
    return pytest.approx(expected, **EXACT)


def check_improvement(result: Improvement, expected: dict[str, Any], key: str) -> None:
    assert result.value == near(expected[key])
    assert result.se == near(expected[f"se.{key}"])
    assert result.z == near(expected[f"z.{key}"])
    assert result.p == near(expected[f"p.{key}"])
    assert [result.low, result.high] == near(expected[f"ci.{key}"])


def check_improve_prob(nri: Improvement, idi: Improvement, expected: dict[str, Any]) -> None:
    check_improvement(nri, expected, "nri")
    assert nri.events == near(expected["nri.ev"])
    assert nri.nonevents == near(expected["nri.ne"])
    assert nri.se_events == near(expected["se.nri.ev"])
    assert nri.se_nonevents == near(expected["se.nri.ne"])
    check_improvement(idi, expected, "idi")
    assert idi.events == near(expected["improveSens"])
    assert idi.nonevents == near(expected["improveSpec"])


@pytest.mark.parametrize("name", NAMES)
def test_area_variance_and_interval_are_those_of_proc(name: str) -> None:
    data, expected = pair(name), PAIRS[name]
    for arm, scores in (("unaided", data.unaided), ("aided", data.aided)):
        result = auc(data.truth, scores)
        assert result.se is not None
        assert result.value == near(expected[f"auc_{arm}"])
        assert result.se**2 == near(expected[f"var_{arm}"])
        assert [result.low, result.high] == near(expected[f"ci_{arm}"])


@pytest.mark.parametrize("name", NAMES)
def test_covariance_of_two_areas_is_that_of_proc(name: str) -> None:
    data, expected = pair(name), PAIRS[name]
    crossed = Crossed(data.truth, np.stack((data.unaided, data.aided)))
    covariance = crossed.delong()
    assert list(crossed.areas) == near([expected["auc_unaided"], expected["auc_aided"]])
    assert covariance[0, 0] == near(expected["var_unaided"])
    assert covariance[1, 1] == near(expected["var_aided"])
    assert covariance[0, 1] == near(expected["cov"])


@pytest.mark.parametrize("name", NAMES)
def test_paired_delong_is_that_of_proc_with_the_difference_turned(name: str) -> None:
    data, expected = pair(name), PAIRS[name]["delong_paired"]
    result = auc_difference(data.truth, data.unaided, data.aided)
    assert result.z == near(-expected["z"])
    assert result.p == near(expected["p"])
    assert result.difference == near(-expected["diff_auc"])
    low, high = expected["conf.int"]
    assert [result.low, result.high] == near([-high, -low])


@pytest.mark.parametrize("name", NAMES)
def test_unpaired_delong_is_that_of_proc(name: str) -> None:
    data, expected = pair(name), PAIRS[name]["delong_unpaired"]
    result = unpaired_auc_difference(auc(data.truth, data.unaided), auc(data.truth, data.aided))
    assert result.t == near(-expected["D"])
    assert result.df == near(expected["df"])
    assert result.p == near(expected["p"])


@pytest.mark.parametrize("name", NAMES)
def test_x3_category_free_nri_and_idi_are_those_of_hmisc(name: str) -> None:
    data = pair(name)
    nri = net_reclassification(data.truth, data.unaided, data.aided, source="scores")
    idi = integrated_discrimination(data.truth, data.unaided, data.aided, source="scores")
    check_improve_prob(nri, idi, PAIRS[name]["improveProb"])


@pytest.mark.parametrize("cutoffs", ["catNRI_0.5", "catNRI_0.2_0.6"])
@pytest.mark.parametrize("name", NAMES)
def test_nri_by_right_open_categories_is_that_of_hmisc(name: str, cutoffs: str) -> None:
    data, expected = pair(name), PAIRS[name][cutoffs]
    check_categories(data.truth, data.unaided, data.aided, expected)


def check_categories(
    truth: Bools, unaided: Floats, aided: Floats, expected: dict[str, Any]
) -> None:
    given = expected["cutoffs"]
    cuts = tuple(given) if isinstance(given, list) else (given,)
    k = len(cuts) + 1
    baseline, comparison = categories(unaided, cuts), categories(aided, cuts)
    table = reclassification_table(truth, baseline, comparison, tuple(expected["labels"]))
    assert [list(row) for row in table.events] == expected["table_events"]
    assert [list(row) for row in table.nonevents] == expected["table_nonevents"]
    # improveProb needs numbers in [0, 1]: the reference divides category numbers by their count.
    scaled = [level.astype(np.float64) / k for level in (baseline, comparison)]
    nri = net_reclassification(truth, scaled[0], scaled[1], source="categories")
    idi = integrated_discrimination(truth, scaled[0], scaled[1], source="categories")
    check_improve_prob(nri, idi, expected["improveProb"])


@pytest.mark.parametrize("name", [name for name in NAMES if "fitted_logistic" in PAIRS[name]])
def test_refitted_scores_are_those_of_glm(name: str) -> None:
    data, expected = pair(name), PAIRS[name]["fitted_logistic"]
    fits = [refit_scores(data.truth, scores).risks for scores in (data.unaided, data.aided)]
    unaided, aided = fits
    assert unaided is not None
    assert aided is not None
    if "p_unaided_levels" in expected:
        # The reference lists the lowest levels, at most ten, to 12 digits.
        for risks, arm in ((unaided, "unaided"), (aided, "aided")):
            levels = expected[f"p_{arm}_levels"]
            assert list(np.unique(risks)[: len(levels)]) == near(levels)
    nri = net_reclassification(data.truth, unaided, aided, source="refitted scores")
    idi = integrated_discrimination(data.truth, unaided, aided, source="refitted scores")
    check_improve_prob(nri, idi, expected["improveProb"])
    check_categories(data.truth, unaided, aided, expected["catNRI_0.5"])


@pytest.mark.parametrize("arm", ["unaided", "aided"])
@pytest.mark.parametrize("name", NAMES)
def test_proportions_and_wilson_intervals_are_those_of_hmisc(name: str, arm: str) -> None:
    data, expected = pair(name), PAIRS[name][f"diag_{arm}"]
    call = getattr(data, arm) >= expected["threshold"]
    tp, fn = int((call & data.truth).sum()), int((~call & data.truth).sum())
    fp, tn = int((call & ~data.truth).sum()), int((~call & ~data.truth).sum())
    assert [tp, fn, fp, tn] == [expected[key] for key in ("TP", "FN", "FP", "TN")]
    for key, part, whole in (
        ("sens", tp, tp + fn),
        ("spec", tn, tn + fp),
        ("ppv", tp, tp + fp),
        ("npv", tn, tn + fn),
        ("acc", tp + tn, tp + fn + fp + tn),
    ):
        result = proportion(part, whole)
        assert result.value == near(expected[key]["est"])
        assert [result.low, result.high] == near(expected[key]["wilson"])
        for name_of, function in INTERVALS.items():
            assert list(function(part, whole)) == near(expected[key][name_of])


@pytest.mark.parametrize("name", NAMES)
def test_mcnemar_is_that_of_r_in_all_its_forms(name: str) -> None:
    for key in ("mcnemar_sens", "mcnemar_spec", "mcnemar_acc"):
        expected = PAIRS[name][key]
        result = mcnemar(gained=expected["c_a0_b1"], lost=expected["b_a1_b0"])
        assert result.chi2 == near(expected["chisq_nocorr"])
        assert result.p_chi2 == near(expected["p_nocorr"])
        assert result.p_chi2_corrected == near(expected["p_corr"])
        assert result.p_exact == near(expected["p_exact"])
        assert result.p_midp == near(expected["p_midp"])


@pytest.mark.parametrize("name", NAMES)
def test_roc_points_and_youden_are_those_of_proc(name: str) -> None:
    data, expected = pair(name), PAIRS[name]
    for arm in ("unaided", "aided"):
        best = youden_point(roc_curve(data.truth, getattr(data, arm)))
        wanted = expected["youden"][arm]
        # Where several thresholds tie, pROC names them all and we the lowest.
        for key in ("threshold", "sensitivity", "specificity"):
            first = wanted[key][0] if isinstance(wanted[key], list) else wanted[key]
            assert getattr(best, key) == near(first)
    if "roc_points_aided" in expected:
        points = expected["roc_points_aided"]
        curve = roc_curve(data.truth, data.aided)
        wanted = [{"-Inf": -inf, "Inf": inf}.get(t, t) for t in points["threshold"]]
        assert list(curve.thresholds) == near(wanted)
        assert list(curve.sensitivity) == near(points["sensitivity"])
        assert list(curve.specificity) == near(points["specificity"])
