"""Baseline table: whether a characteristic is spread differently over two groups of cases.

References
----------
.. [1] Shapiro SS, Wilk MB. An analysis of variance test for normality. Biometrika 1965;52:591-611.
.. [2] Brown MB, Forsythe AB. Robust tests for the equality of variances. Journal of the American
   Statistical Association 1974;69:364-367 (Levene's test from the median).
.. [3] Welch BL. The generalization of Student's problem when several different population
   variances are involved. Biometrika 1947;34:28-35.
.. [4] Mann HB, Whitney DR. On a test of whether one of two random variables is stochastically
   larger than the other. Annals of Mathematical Statistics 1947;18:50-60.
.. [5] Austin PC. Balance diagnostics for comparing the distribution of baseline covariates.
   Statistics in Medicine 2009;28:3083-3107 (standardised mean difference).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, cast

import numpy as np
from scipy import stats  # pyright: ignore[reportMissingTypeStubs] - scipy ships none

from app.statistics.arrays import Bools, Floats
from app.statistics.exact_table import fisher
from app.statistics.notes import Note
from app.statistics.tails import chi2_survival, f_survival, two_sided_t

ALPHA = 0.05
_FEWEST_EXPECTED = 5
_EXACT_BELOW = 50

_untyped = cast("Any", stats)
_shapiro = cast("Callable[[Floats], Any]", _untyped.shapiro)
_mann_whitney = cast("Callable[..., Any]", _untyped.mannwhitneyu)


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """One group's values; `shapiro_p` is None below three values or without spread."""

    n: int
    mean: float
    sd: float | None
    median: float
    q1: float
    q3: float
    shapiro_w: float | None
    shapiro_p: float | None


@dataclass(frozen=True, slots=True)
class NumericBaseline:
    """A number in both groups, first group first, and the test that its distribution calls for."""

    first: GroupSummary
    second: GroupSummary
    levene_f: float | None
    levene_p: float | None
    test: str
    statistic: float | None
    df: float | None
    p: float | None
    smd: float | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class CategoricalBaseline:
    """Counts per category and group (K, 2), and the test of independence."""

    categories: tuple[str, ...]
    counts: tuple[tuple[int, int], ...]
    test: str
    statistic: float | None
    df: int | None
    p: float | None
    smd: float | None
    notes: tuple[Note, ...] = ()


def numeric_baseline(values: Floats, first: Bools) -> NumericBaseline:
    """Compare values (N,) between `first` (N,) True and the rest.

    Shapiro-Wilk [1]_ at 5% in either group leads to Mann-Whitney [4]_ (exact below 50 per group
    without ties, else normal with continuity correction, as R does); otherwise Levene from the
    median [2]_ chooses Student or Welch [3]_. ValueError for an empty group.
    """
    one, two = values[first], values[~first]
    if min(one.size, two.size) == 0:
        raise ValueError("Both groups need at least one value.")
    groups = _summary(one), _summary(two)
    spread = _pooled_sd(one, two)
    smd = (groups[0].mean - groups[1].mean) / spread if spread else None
    if min(one.size, two.size) < 2 or np.ptp(values) == 0:  # noqa: PLR2004
        note = Note("no_spread", "Too few or equal values: there is nothing to test.")
        return NumericBaseline(*groups, None, None, "none", None, None, None, smd, (note,))
    levene_f, levene_p = levene(one, two)
    normal = all(group.shapiro_p is not None and group.shapiro_p >= ALPHA for group in groups)
    if not normal:
        statistic, p = mann_whitney(one, two)
        test, df = "Mann-Whitney", None
    elif levene_p is None or levene_p >= ALPHA:
        test = "Student"
        statistic, df, p = student(one, two)
    else:
        test = "Welch"
        statistic, df, p = welch(one, two)
    return NumericBaseline(*groups, levene_f, levene_p, test, statistic, df, p, smd)


def _summary(values: Floats) -> GroupSummary:
    q1, median, q3 = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    sd = float(values.std(ddof=1)) if values.size > 1 else None
    w = p = None
    if values.size > 2 and np.ptp(values) > 0:  # noqa: PLR2004 - Shapiro-Wilk needs three
        found = _shapiro(values)
        w, p = float(found.statistic), float(found.pvalue)
    return GroupSummary(values.size, float(values.mean()), sd, median, q1, q3, w, p)


def _pooled_sd(one: Floats, two: Floats) -> float | None:
    if min(one.size, two.size) < 2:  # noqa: PLR2004
        return None
    return sqrt((float(one.var(ddof=1)) + float(two.var(ddof=1))) / 2)


def levene(one: Floats, two: Floats) -> tuple[float | None, float | None]:
    """F and p of Levene's test from the median [2]_; None without spread within the groups."""
    deviations = [np.abs(group - np.median(group)) for group in (one, two)]
    sizes = [group.size for group in deviations]
    total = sum(sizes)
    grand = float(np.concatenate(deviations).mean())
    means = [float(group.mean()) for group in deviations]
    between = sum(n * (mean - grand) ** 2 for n, mean in zip(sizes, means, strict=True))
    within = sum(float(((g - m) ** 2).sum()) for g, m in zip(deviations, means, strict=True))
    if within == 0 or total <= 2:  # noqa: PLR2004
        return None, None
    f = between / (within / (total - 2))
    return f, f_survival(f, 1, total - 2)


def student(one: Floats, two: Floats) -> tuple[float | None, float, float | None]:
    """t, df and p of Student's test with equal variances."""
    df = one.size + two.size - 2
    pooled = (
        float(one.var(ddof=1)) * (one.size - 1) + float(two.var(ddof=1)) * (two.size - 1)
    ) / df
    return _t(one, two, sqrt(pooled * (1 / one.size + 1 / two.size)), df)


def welch(one: Floats, two: Floats) -> tuple[float | None, float, float | None]:
    """t, df and p of Welch's test [3]_."""
    parts = [float(group.var(ddof=1)) / group.size for group in (one, two)]
    sizes = (one.size, two.size)
    below = sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    return _t(one, two, sqrt(sum(parts)), sum(parts) ** 2 / below if below > 0 else 0.0)


def _t(one: Floats, two: Floats, se: float, df: float) -> tuple[float | None, float, float | None]:
    if se == 0 or df == 0:
        return None, df, None
    t = float(one.mean() - two.mean()) / se
    return t, df, two_sided_t(t, df)


def mann_whitney(one: Floats, two: Floats) -> tuple[float, float]:
    """W of the first group and p [4]_, as R's wilcox.test with its defaults."""
    together = np.concatenate((one, two))
    ties = np.unique(together).size < together.size
    exact = max(one.size, two.size) < _EXACT_BELOW and not ties
    found = _mann_whitney(
        one, two, alternative="two-sided", method="exact" if exact else "asymptotic"
    )
    return float(found.statistic), min(1.0, float(found.pvalue))


def categorical_baseline(labels: tuple[str, ...], first: Bools) -> CategoricalBaseline:
    """Compare categories of N cases between `first` (N,) True and the rest.

    Chi-squared without continuity correction; Fisher's exact test (all tables enumerated, never
    drawn at random) where an expected count is below 5.
    """
    names = tuple(sorted(set(labels)))
    position = {name: index for index, name in enumerate(names)}
    counts = np.zeros((len(names), 2), dtype=np.int64)
    for label, in_first in zip(labels, first, strict=True):
        counts[position[label], 0 if in_first else 1] += 1
    table = tuple((int(row[0]), int(row[1])) for row in counts)
    sums = counts.sum(axis=0)
    if len(names) < 2 or sums.min() == 0:  # noqa: PLR2004 - nothing varies
        note = Note("no_spread", "One category or one group only: there is nothing to test.")
        return CategoricalBaseline(names, table, "none", None, None, None, None, (note,))
    smd = _smd_of_shares(counts / sums)
    expected = counts.sum(axis=1, keepdims=True) * sums / sums.sum()
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    df = len(names) - 1
    notes: tuple[Note, ...] = ()
    if expected.min() < _FEWEST_EXPECTED:
        p = fisher(table)
        if p is not None:
            return CategoricalBaseline(names, table, "Fisher", None, None, p, smd)
        text = "Expected counts below 5, but too many tables for Fisher's test: read with care."
        notes = (Note("small_expected", text),)
    return CategoricalBaseline(
        names, table, "chi-squared", chi2, df, chi2_survival(chi2, df), smd, notes
    )


def _smd_of_shares(shares: Floats) -> float | None:
    """Standardised difference of category shares (K, 2) [5]_, by Mahalanobis distance."""
    one, two = shares[1:, 0], shares[1:, 1]
    spread = [np.diag(group) - np.outer(group, group) for group in (one, two)]
    together = (spread[0] + spread[1]) / 2
    if np.linalg.matrix_rank(together) < together.shape[0]:
        return None
    difference = one - two
    distance = float(difference @ np.linalg.solve(together, difference))
    return sqrt(max(0.0, distance))
