"""Numbers of further.R (base R, by other routes), and of DTComPair as its documentation prints."""

import json
from typing import Any

import numpy as np
import pytest
from reference_data import FOLDER, pair

from app.statistics.agreement import Coefficient, cohen_kappa, fleiss_kappa, gwet_ac1
from app.statistics.bootstrap import _acceleration, _area_difference, draw
from app.statistics.calibration import calibration
from app.statistics.predictive_values import predictive_value_difference
from app.statistics.proportions import tango_interval

R: dict[str, Any] = json.loads((FOLDER / "further.R.json").read_text())
DATA = pair("d04_continuous200")


@pytest.mark.parametrize(
    ("gained", "lost", "n"), [(12, 2, 50), (9, 0, 18), (46, 18, 608), (1, 1, 30)]
)
def test_tango_is_the_interval_of_the_restricted_likelihood(gained: int, lost: int, n: int) -> None:
    expected = R[f"tango_{gained}_{lost}_{n}"]
    assert tango_interval(gained, lost, n) == pytest.approx(expected, abs=1e-8)


def check_coefficient(result: Coefficient, expected: list[float], tolerance: float) -> None:
    assert result.value == pytest.approx(expected[0], abs=1e-12)
    assert result.se == pytest.approx(expected[1], abs=tolerance)


def test_kappa_and_ac1_and_their_standard_errors() -> None:
    calls = np.stack((DATA.unaided >= 0.5, DATA.aided >= 0.5, DATA.unaided >= 0.3))
    check_coefficient(cohen_kappa(calls[0], calls[1]), R["cohen_kappa"], 1e-9)
    check_coefficient(fleiss_kappa(calls), R["fleiss_kappa"], 1e-8)
    check_coefficient(gwet_ac1(calls), R["gwet_ac1"], 1e-8)


def test_fleiss_kappa_of_two_identical_readers_is_one_and_ac1_too() -> None:
    calls = np.stack((DATA.truth, DATA.truth))
    assert fleiss_kappa(calls).value == 1
    assert gwet_ac1(calls).value == 1
    assert cohen_kappa(*calls).value == 1


def test_calibration_is_that_of_glm() -> None:
    result = calibration(DATA.truth, DATA.aided)
    assert result is not None
    assert result.in_the_large == pytest.approx(R["calibration_in_the_large"], abs=1e-9)
    assert result.slope == pytest.approx(R["calibration_slope"], abs=1e-9)
    assert result.observed_expected == pytest.approx(R["observed_expected"], abs=1e-12)
    assert result.brier == pytest.approx(R["brier"], abs=1e-12)
    assert result.spiegelhalter_z == pytest.approx(R["spiegelhalter"][0], abs=1e-12)
    assert result.spiegelhalter_p == pytest.approx(R["spiegelhalter"][1], abs=1e-12)


def test_probabilities_of_zero_and_one_have_no_calibration_slope() -> None:
    result = calibration(DATA.truth, DATA.truth.astype(np.float64))
    assert result is not None
    assert (result.slope, result.in_the_large) == (None, None)
    assert result.notes[0].code == "certain_probabilities"


def test_bca_acceleration_is_that_of_leave_one_out() -> None:
    statistic = _area_difference(DATA.truth, DATA.unaided, DATA.aided)
    sample = draw(80, 120, 10, 1)
    value = float(statistic(sample.observed)[0])
    found = _acceleration(
        value - statistic(sample.without_event), value - statistic(sample.without_nonevent)
    )
    assert found == pytest.approx(R["bca_acceleration"], abs=1e-9)


def test_predictive_values_are_compared_as_in_dtcompair() -> None:
    # Paired1: (diseased, non-diseased) by (test 1, test 2) = (+,+), (+,-), (-,+), (-,-).
    diseased, healthy = (319, 78, 22, 32), (31, 53, 22, 155)
    cells = [(True, True), (True, False), (False, True), (False, False)]
    rows = [
        (truth, *cell)
        for truth, counts in ((True, diseased), (False, healthy))
        for cell, count in zip(cells, counts, strict=True)
        for _ in range(count)
    ]
    truth, one, two = np.array(rows).T
    ppv = predictive_value_difference(truth, one, two)
    npv = predictive_value_difference(~truth, ~one, ~two)
    assert ppv.difference == pytest.approx(0.04011841, abs=5e-9)
    assert ppv.chi2 == pytest.approx(5.46588745, abs=5e-9)
    assert ppv.p == pytest.approx(0.01939120, abs=5e-9)
    assert npv.difference == pytest.approx(-0.1121457, abs=5e-8)
    assert npv.chi2 == pytest.approx(16.53540, abs=5e-6)
    assert npv.p == pytest.approx(4.775012e-05, abs=5e-12)
