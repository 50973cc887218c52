"""The baseline table: each characteristic of the cases in two groups, with its test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.statistics.arrays import Bools
from app.statistics.baseline import (
    CategoricalBaseline,
    NumericBaseline,
    categorical_baseline,
    numeric_baseline,
)
from app.statistics.notes import Note


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """One characteristic: as a number or by categories, on the cases of which it is known."""

    characteristic: str
    missing: tuple[int, int]
    numeric: NumericBaseline | None
    categorical: CategoricalBaseline | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class BaselineTable:
    """All characteristics; `groups` are the two groups and `n` their cases, first group first."""

    groups: tuple[str, str]
    n: tuple[int, int]
    rows: tuple[BaselineRow, ...]
    method: str = (
        "Shapiro-Wilk in each group, then Student, Welch (Levene from the median) or Mann-Whitney; "
        "chi-squared, or Fisher's exact test where an expected count is below 5; standardised "
        "differences (Austin 2009)"
    )


def baseline_table(
    columns: Sequence[tuple[str, Sequence[str], bool]], first: Bools, groups: tuple[str, str]
) -> BaselineTable:
    """Compare the groups; `first` (N,) True for the first of `groups`.

    Each column is its name, the N cases' texts ("" unknown), and whether the texts are numbers.
    """
    n = int(first.sum())
    rows = tuple(_row(name, values, first, numeric) for name, values, numeric in columns)
    return BaselineTable(groups, (n, first.size - n), rows)


def _row(name: str, values: Sequence[str], first: Bools, numeric: bool) -> BaselineRow:  # noqa: FBT001
    known = np.array([bool(value) for value in values])
    missing = (int((~known & first).sum()), int((~known & ~first).sum()))
    chosen = [value for value in values if value]
    group = first[known]
    if group.all() or not group.any():
        text = f"{name} is known in one group only: there is nothing to compare."
        return BaselineRow(name, missing, None, None, (Note("one_group", text),))
    if numeric:
        numbers = np.array([float(value) for value in chosen])
        return BaselineRow(name, missing, numeric_baseline(numbers, group), None)
    return BaselineRow(name, missing, None, categorical_baseline(tuple(chosen), group))
