"""What must hold for any readings whatever."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_cast import analysed

from app.statistics.covariance import Crossed
from app.statistics.reclassification import net_reclassification
from app.statistics.roc import auc, auc_difference
from app.statistics.table import Row

levels = st.integers(0, 6)
paired = st.lists(st.tuples(st.booleans(), levels, levels), min_size=4, max_size=40)


def arrays(cases: list[tuple[bool, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth, zero, one = zip(*cases, strict=True)
    return np.array(truth), np.array(zero) / 6, np.array(one) / 6


def both_classes(truth: np.ndarray, least: int = 2) -> bool:
    return least <= truth.sum() <= truth.size - least


@given(paired)
def test_turning_classes_and_scores_keeps_area_and_standard_error(
    cases: list[tuple[bool, int, int]],
) -> None:
    truth, zero, _ = arrays(cases)
    one, other = auc(truth, zero), auc(~truth, -zero)
    assert one.value == pytest.approx(other.value, abs=1e-12)
    assert one.se == pytest.approx(other.se, abs=1e-12)


@given(paired)
def test_turning_the_classes_alone_turns_the_area(cases: list[tuple[bool, int, int]]) -> None:
    truth, zero, _ = arrays(cases)
    one, other = auc(truth, zero).value, auc(~truth, zero).value
    if one is not None and other is not None:
        assert one + other == pytest.approx(1, abs=1e-12)


@given(paired)
def test_a_monotone_change_of_the_scale_changes_nothing(
    cases: list[tuple[bool, int, int]],
) -> None:
    truth, zero, one = arrays(cases)
    assert auc(truth, zero) == auc(truth, np.exp(3 * zero) - 7)
    assert auc_difference(truth, zero, one) == auc_difference(truth, zero**3, one**3)
    change = [net_reclassification(truth, f(zero), f(one), source="x") for f in (np.sqrt, np.array)]
    assert change[0] == change[1]


@given(paired)
def test_the_area_is_the_share_of_pairs_in_order_ties_half(
    cases: list[tuple[bool, int, int]],
) -> None:
    truth, zero, _ = arrays(cases)
    if not both_classes(truth, 1):
        return
    pairs = zero[truth][:, None] - zero[~truth][None, :]
    share = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert auc(truth, zero).value == pytest.approx(share, abs=1e-12)


@given(paired)
def test_exchanging_the_modalities_turns_the_sign_and_keeps_p(
    cases: list[tuple[bool, int, int]],
) -> None:
    truth, zero, one = arrays(cases)
    there, back = auc_difference(truth, zero, one), auc_difference(truth, one, zero)
    assert there.p == pytest.approx(back.p, abs=1e-12)
    if there.difference is not None and back.difference is not None:
        assert there.difference == pytest.approx(-back.difference, abs=1e-12)


@given(paired)
def test_no_p_value_is_zero_and_none_is_undefined_in_silence(
    cases: list[tuple[bool, int, int]],
) -> None:
    truth, zero, one = arrays(cases)
    result = auc_difference(truth, zero, one)
    assert result.p is None or 0 < result.p <= 1
    assert result.p is not None or result.notes


@given(paired)
def test_delong_is_not_below_the_unbiased_variance_by_more_than_rounding(
    cases: list[tuple[bool, int, int]],
) -> None:
    truth, zero, one = arrays(cases)
    if not both_classes(truth):
        return
    crossed = Crossed(truth, np.stack((zero, one)))
    delong, unbiased = crossed.delong(), crossed.unbiased()
    assert (np.diag(delong) - np.diag(unbiased) > -1e-12).all()


rows = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.integers(0, 9), st.sampled_from(["unaided", "aided"])),
    st.tuples(st.sampled_from([None, "BCC", "SK"]), st.sampled_from([None, 0.0, 0.3, 0.5, 1.0])),
    min_size=1,
    max_size=50,
)


@settings(max_examples=60)
@given(rows, st.randoms(use_true_random=False))
def test_any_table_of_readings_is_analysed_or_refused_and_order_is_nothing(
    cells: dict[tuple[str, int, str], tuple[str | None, float | None]],
    random: object,
) -> None:
    table: list[Row] = [
        (reader, f"c{case}", "BCC" if case % 2 else "SK", modality, call, score, None, None)
        for (reader, case, modality), (call, score) in cells.items()
    ]
    first = json.dumps(analysed(table, bootstrap=20).json(), allow_nan=False)
    random.shuffle(table)  # type: ignore[attr-defined]
    assert json.dumps(analysed(table, bootstrap=20).json(), allow_nan=False) == first
