"""The orders of all designs are balanced over cases, readers and truth, whatever the seed."""

import math
from collections import Counter
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.allocation import ALGORITHM, Assigned, Plan, allocate, hidden_cases
from app.domain.study_design import LARGEST_SHARE, Design

seeds = st.integers(0, 2**63 - 1)
numbers_of_readers = st.integers(2, 9)


def plan(
    design: Design, seed: int, cases: int, *, percent: int = 0, repeats: int = 0, training: int = 0
) -> Plan:
    return Plan(
        algorithm=ALGORITHM,
        seed=seed,
        design=design,
        unaided_only_percent=percent,
        repeats=repeats,
        training=frozenset(UUID(int=10_000 + number) for number in range(training)),
        counted=frozenset(UUID(int=number) for number in range(cases)),
    )


def orders_of(drawn: Plan, readers: int) -> list[list[Assigned]]:
    return [
        allocate(drawn, reader=UUID(int=20_000 + number), number=number)
        for number in range(1, readers + 1)
    ]


def with_ai(order: list[Assigned], session: int = 1) -> set[UUID]:
    """The cases of the first occasion that are read with AI."""
    return {
        entry.case
        for entry in order
        if (entry.arm, entry.session, entry.occasion) == ("with_ai", session, 1)
    }


@given(seeds, st.integers(2, 60), st.integers(1, LARGEST_SHARE), numbers_of_readers)
def test_d2_in_the_hidden_share_every_case_is_read_with_ai_by_some_reader(
    seed: int, cases: int, percent: int, readers: int
) -> None:
    drawn = plan("hidden_share", seed, cases, percent=percent)
    share = hidden_cases(cases, percent)
    seen = [with_ai(order) for order in orders_of(drawn, readers)]
    assert frozenset().union(*seen) == drawn.counted
    assert {len(drawn.counted - one) for one in seen} == {share}, "the same share for each reader"
    hidden = Counter(case for one in seen for case in drawn.counted - one)
    times = {hidden[case] for case in drawn.counted}
    assert max(times) - min(times) <= 1, "no case is hidden more often than another by two"


@given(seeds, st.integers(1, 60), numbers_of_readers)
def test_d2_in_a_crossover_arms_are_balanced_in_blocks_of_two_readers_and_two_cases(
    seed: int, cases: int, readers: int
) -> None:
    drawn = plan("crossover", seed, cases)
    orders = orders_of(drawn, readers)
    for order in orders:
        assert with_ai(order, 1) | with_ai(order, 2) == drawn.counted
        assert not with_ai(order, 1) & with_ai(order, 2), "each case once with and once without"
        assert abs(2 * len(with_ai(order, 1)) - cases) <= 1
    for first, second in pairwise(orders):
        assert with_ai(first, 1) == with_ai(second, 2), "the next reader has the other half"


@given(seeds, st.integers(1, 40), numbers_of_readers)
def test_d2_parallel_arms_are_filled_in_pairs_of_readers(
    seed: int, cases: int, readers: int
) -> None:
    arms = [
        {entry.arm for entry in order}
        for order in orders_of(plan("parallel", seed, cases, training=2), readers)
    ]
    assert {len(arm) for arm in arms} == {1}, "a reader is in one arm, training cases included"
    for first, second in zip(arms[::2], arms[1::2], strict=False):
        assert first != second


@given(
    st.sampled_from(["sequential", "hidden_share", "crossover", "parallel"]),
    seeds,
    st.integers(2, 30),
    st.integers(0, 5),
)
def test_d7_training_comes_first_and_repeats_come_after_the_sessions_cases_in_the_same_arm(
    design: Design, seed: int, cases: int, repeats: int
) -> None:
    percent = 30 if design == "hidden_share" else 0
    drawn = plan(design, seed, cases, percent=percent, repeats=min(repeats, cases), training=3)
    for order in orders_of(drawn, 3):
        assert {entry.case for entry in order[:3]} == drawn.training
        rest = order[3:]
        assert [(e.session, e.occasion) for e in rest] == sorted(
            (e.session, e.occasion) for e in rest
        )
        first = {(e.case, e.session): e.arm for e in rest if e.occasion == 1}
        again = [e for e in rest if e.occasion > 1]
        assert all(first[e.case, e.session] == e.arm for e in again)
        sessions = 2 if design == "crossover" else 1
        assert len(again) == sessions * min(repeats, cases)


@pytest.mark.parametrize("design", ["hidden_share", "crossover"])
def test_b4_arms_do_not_lean_on_the_diagnosis_over_1000_seeds(design: Design) -> None:
    """Of the cases without AI in session 1 the share of BCC is that of all cases, by chance alone.

    Case numbers below 14 are BCC, of 20: any rule that leaned on the order of upload or on truth
    would move the share by far more than four standard errors.
    """
    without = positives = 0
    for seed in range(1000):
        drawn = plan(design, seed, 20, percent=30 if design == "hidden_share" else 0)
        hidden = drawn.counted - with_ai(orders_of(drawn, 1)[0])
        without += len(hidden)
        positives += sum(case.int < 14 for case in hidden)
    assert abs(positives / without - 0.7) < 4 * math.sqrt(0.7 * 0.3 / without)


@given(seeds, st.integers(3, 30))
def test_d7_a_case_excluded_later_moves_no_other_case_and_no_arm(seed: int, cases: int) -> None:
    drawn = plan("crossover", seed, cases)
    gone = UUID(int=1)
    smaller = Plan(**{**drawn.__dict__, "left_out": frozenset({gone})})
    for before, after in zip(orders_of(drawn, 3), orders_of(smaller, 3), strict=True):
        assert [entry for entry in before if entry.case != gone] == after
