"""Random data of random.R, against pROC, Hmisc, boot, base R, and definitions in plain loops."""

import json
from typing import Any

import numpy as np
import pytest
from reference_data import FOLDER, pair

from app.statistics.agreement import gwet_ac1, gwet_ac2
from app.statistics.arrays import Bools, Floats
from app.statistics.bootstrap import (
    Resamples,
    _acceleration,
    _interval,
    _weights,
    paired_statistics,
)
from app.statistics.predictive_values import predictive_value_difference
from app.statistics.proportions import mcnemar, tango_interval, wilson_interval
from app.statistics.reclassification import integrated_discrimination, net_reclassification
from app.statistics.roc import auc, auc_difference
from app.statistics.ustatistics import u_statistics

Found = dict[str, Any]
R: Found = json.loads((FOLDER / "random.R.json").read_text())


def ratings(text: str) -> Floats:
    """One digit a rating, "-" where there is none."""
    return np.array([float(mark) if mark != "-" else np.nan for mark in text])


def test_there_are_as_many_as_the_manual_says() -> None:
    assert [len(R[name]) for name in ("areas", "tables", "agreement", "missing")] == [
        60,
        200,
        12,
        4,
    ]


@pytest.mark.parametrize("found", R["areas"])
def test_areas_their_covariance_and_their_difference_are_those_of_proc(found: Found) -> None:
    truth, before, after = (ratings(found[name]) for name in ("y", "a", "b"))
    for scores, area, variance in zip((before, after), found["auc"], found["var"], strict=True):
        result = auc(truth == 1, scores)
        assert result.value == pytest.approx(area, abs=1e-12)
        assert result.se is not None
        assert result.se**2 == pytest.approx(variance, abs=1e-12)
    result = auc_difference(truth == 1, before, after)
    assert result.se is not None
    assert result.se**2 == pytest.approx(sum(found["var"]) - 2 * found["cov"], abs=1e-12)
    if found["z"] is None:  # 0/0: pROC says NaN for identical areas without variance
        assert (result.difference, result.z, result.p) == (0, 0, 1)
    else:
        assert result.z == pytest.approx(found["z"], abs=1e-8)
        assert result.p == pytest.approx(found["p"], rel=1e-8)


@pytest.mark.parametrize("found", R["areas"])
def test_x3_nri_and_idi_are_those_of_improveprob(found: Found) -> None:
    events = ratings(found["y"]) == 1
    before, after = (ratings(found[name]) / found["steps"] for name in ("a", "b"))
    nri = net_reclassification(events, before, after, source="ratings")
    idi = integrated_discrimination(events, before, after, source="ratings")
    assert (nri.value, nri.se, nri.events, nri.nonevents) == pytest.approx(found["nri"], abs=1e-12)
    assert (idi.value, idi.se) == pytest.approx(found["idi"], abs=1e-12)


@pytest.mark.parametrize("found", R["tables"])
def test_paired_tables_are_compared_as_in_r(found: Found) -> None:
    both, lost, gained, neither = found["events"]
    n = both + lost + gained + neither
    result = mcnemar(gained, lost)
    assert (result.p_exact, result.p_midp) == pytest.approx(
        (found["exact"], found["midp"]), rel=1e-10
    )
    if found["chi2"] is None:
        assert (result.p_chi2, result.p) == (None, 1)
    else:
        assert result.p_chi2 == pytest.approx(found["chi2"], rel=1e-10)
        assert result.p_chi2_corrected == pytest.approx(found["corrected"], rel=1e-10)
    assert tango_interval(gained, lost, n) == pytest.approx(found["tango"], abs=1e-9)
    assert wilson_interval((both + gained) / n, n) == pytest.approx(found["wilson"], abs=1e-12)


@pytest.mark.parametrize("found", R["tables"])
def test_predictive_values_are_compared_as_by_loops_over_cases(found: Found) -> None:
    truth = np.repeat([True, False], [sum(found["events"]), sum(found["nonevents"])])

    def called(events: list[int], others: list[int]) -> Bools:
        return np.repeat(np.array([*events, *others]) == 1, found["events"] + found["nonevents"])

    one = called([1, 1, 0, 0], [0, 0, 1, 1])
    two = called([1, 0, 1, 0], [0, 1, 0, 1])
    for expected, result in (
        (found["ppv"], predictive_value_difference(truth, one, two)),
        (found["npv"], predictive_value_difference(~truth, ~one, ~two)),
    ):
        if result.chi2 is None or expected is None:
            # No such call, one value of 0 or 1, or identical calls: R has 0/0.
            assert result.p in {None, 1.0}
            assert result.p == 1.0 or result.notes
        else:
            assert result.chi2 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("found", R["agreement"])
def test_ac1_and_ac2_of_several_readers(found: Found) -> None:
    scores = np.stack([ratings(text) for text in found["ratings"]])
    scale = np.arange(found["categories"], dtype=np.float64)
    result = gwet_ac2(scores, scale)
    assert (result.value, result.se) == pytest.approx(found["ac2"], abs=1e-8)
    if found["categories"] == 2:
        calls = gwet_ac1(scores == 1)
        assert (calls.value, calls.se) == pytest.approx(found["ac1"], abs=1e-8)
        assert (result.value, result.se) == pytest.approx((calls.value, calls.se), abs=1e-12)


@pytest.mark.parametrize("name", ["auc", "idi.scores", "nri.category_free"])
def test_bootstrap_end_points_are_those_of_the_same_resamples_in_r(name: str) -> None:
    data = pair("d04_continuous200")
    chosen = np.r_[np.flatnonzero(data.truth)[:25], np.flatnonzero(~data.truth)[:30]]
    truth = data.truth[chosen]
    drawn = np.stack([ratings(text) for text in R["counts"]])
    ones = np.ones((1, 25)), np.ones((1, 30))
    sample = Resamples(
        _weights(*ones),
        _weights(drawn[:, truth], drawn[:, ~truth]),
        _weights(1 - np.eye(25), ones[1]),
        _weights(ones[0], 1 - np.eye(30)),
        drawn.shape[0],
    )
    scores = data.unaided[chosen], data.aided[chosen]
    statistic = paired_statistics(truth, scores=scores, calls=None, probabilities=True)[name]
    found, result = R["bca"][name], _interval(statistic, sample)
    assert result.value == pytest.approx(found["value"], abs=1e-12)
    assert result.se == pytest.approx(found["se"], abs=1e-12)
    assert (result.low, result.high) == pytest.approx(found["percentile"], abs=1e-12)
    assert (result.bca_low, result.bca_high) == pytest.approx(found["ends"], abs=1e-9)
    left_out = (
        result.value - statistic(sample.without_event),
        result.value - statistic(sample.without_nonevent),
    )
    assert _acceleration(*left_out) == pytest.approx(found["acceleration"], abs=1e-12)
    # boot's own end points interpolate between other order statistics: neighbours, not equals.
    ordered = np.sort(statistic(sample.drawn))
    for end, theirs in zip((result.bca_low, result.bca_high), found["boot_ends"], strict=True):
        assert end is not None
        places = np.searchsorted(ordered, (min(end, theirs) + 1e-9, max(end, theirs) - 1e-9))
        assert places[1] - places[0] <= 2


@pytest.mark.parametrize("found", R["missing"])
def test_u_statistics_with_missing_readings_are_those_of_loops_over_all_pairs(found: Found) -> None:
    scores = np.array([[ratings(text) for text in arm] for arm in found["readings"]])
    truth = np.arange(scores.shape[2]) < found["positives"]
    assert np.isnan(scores).any()
    for estimator, result in u_statistics(truth, scores).items():
        assert (result.baseline.value, result.comparison.value) == pytest.approx(
            found["areas"], abs=1e-12
        )
        parts = (result.baseline, result.comparison, result.difference)
        # A negative estimate is reported as 0, with a note.
        expected = [max(0.0, value) for value in found[estimator]]
        assert [part.variance for part in parts] == pytest.approx(expected, abs=1e-12)
