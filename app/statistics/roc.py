"""Area under the ROC curve, its variance by DeLong, and the paired comparison of two areas.

The direction is fixed: a higher score speaks for the positive class, and an area below one half
stays below one half.

References
----------
.. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated
   receiver operating characteristic curves. Biometrics 1988;44:837-845.
.. [2] Sun X, Xu W. Fast implementation of DeLong's algorithm. IEEE Signal Processing Letters
   2014;21:1389-1393.
.. [3] Newcombe RG. Confidence intervals for an effect size measure based on the Mann-Whitney
   statistic, part 2. Statistics in Medicine 2006;25:559-573.
"""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.notes import Note
from app.statistics.tails import Z95, two_sided_normal, two_sided_t

METHOD = "DeLong 1988, midranks (Sun and Xu 2014)"


@dataclass(frozen=True, slots=True)
class Placements:
    """Placement counts of one score vector.

    `of_positives` is n V10 of [1]_ (m values: negatives below each positive, ties as one half);
    `of_negatives` is m V01 (n values). Both are exact multiples of one half, so that "no
    variance" can be told from rounding.
    """

    of_positives: Floats  # (m,)
    of_negatives: Floats  # (n,)

    @property
    def m(self) -> int:
        """Number of positives."""
        return self.of_positives.size

    @property
    def n(self) -> int:
        """Number of negatives."""
        return self.of_negatives.size

    @property
    def area(self) -> float:
        """The area: mean placement of the positives."""
        return float(self.of_positives.sum() / (self.m * self.n))


@dataclass(frozen=True, slots=True)
class Interval:
    """A further interval beside the main one."""

    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True)
class Auc:
    """An area with its standard error and 95% interval, clipped to [0, 1]."""

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    positives: int
    negatives: int
    alternative: Interval | None = None
    method: str = METHOD
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class AucDifference:
    """Comparison minus baseline of two areas on the same cases, with a 95% interval."""

    difference: float | None
    se: float | None
    z: float | None
    p: float | None
    low: float | None
    high: float | None
    positives: int
    negatives: int
    method: str = METHOD + ", paired"
    notes: tuple[Note, ...] = ()


def _below(reference: Floats, values: Floats) -> Floats:
    """Count, for each value, the reference values below it, ties as one half.

    This is T_Z(X) - T_X(X) of [2]_, by binary search in the sorted reference.
    """
    ordered = np.sort(reference)
    left = ordered.searchsorted(values, "left")
    right = ordered.searchsorted(values, "right")
    return (left + right) / 2


def placements(truth: Bools, scores: Floats) -> Placements:
    """Placements of one score vector: truth (N,) True = positive, scores (N,)."""
    positive, negative = scores[truth], scores[~truth]
    return Placements(
        of_positives=_below(negative, positive),
        of_negatives=positive.size - _below(positive, negative),
    )


def _variance(of_positives: Floats, of_negatives: Floats) -> float:
    """S10/m + S01/n of [1]_, of placements or of their differences, given as counts."""
    m, n = of_positives.size, of_negatives.size
    # Equal counts are exactly equal: a variance of rounding errors must not become a z value.
    s10 = 0.0 if np.ptp(of_positives) == 0 else float(of_positives.var(ddof=1)) / n**2
    s01 = 0.0 if np.ptp(of_negatives) == 0 else float(of_negatives.var(ddof=1)) / m**2
    return s10 / m + s01 / n


def _too_few(m: int, n: int, what: str) -> Note:
    return Note(
        "too_few_cases",
        f"{what} is undefined with {m} positive and {n} negative cases: "
        "at least two of each are needed for a variance, one of each for an area.",
    )


def auc(truth: Bools, scores: Floats) -> Auc:
    """Area under the ROC curve with DeLong's standard error [1]_ and 95% interval.

    `truth` (N,) True = positive, `scores` (N,) finite, higher speaks for positive. With fewer
    than two cases in a class the standard error is None, with none the area also.
    """
    m = int(truth.sum())
    n = truth.size - m
    if min(m, n) == 0:
        return Auc(None, None, None, None, m, n, notes=(_too_few(m, n, "The AUC"),))
    placed = placements(truth, scores)
    area = placed.area
    if min(m, n) == 1:
        note = _too_few(m, n, "The standard error of the AUC")
        return Auc(area, None, None, None, m, n, notes=(note,))
    se = sqrt(_variance(placed.of_positives, placed.of_negatives))
    notes: tuple[Note, ...] = ()
    if area in {0.0, 1.0}:
        text = (
            f"The AUC is exactly {area:.0f}: DeLong's standard error is 0 and its interval a "
            "point, which is too narrow. The score interval beside it (Newcombe 2006) is not."
        )
        notes = (Note("perfect_separation", text),)
    elif se == 0:
        text = "DeLong's standard error is 0, as all placements are equal; read no interval."
        notes = (Note("zero_variance", text),)
    return Auc(
        area,
        se,
        max(0.0, area - Z95 * se),
        min(1.0, area + Z95 * se),
        m,
        n,
        logit_interval(area, se) if 0 < area < 1 else score_interval(area, m, n),
        notes=notes,
    )


def logit_interval(area: float, se: float) -> Interval:
    """Interval on the logit scale, which stays inside (0, 1) by itself."""
    centre, half = log(area / (1 - area)), Z95 * se / (area * (1 - area))
    low, high = (1 / (1 + exp(-value)) for value in (centre - half, centre + half))
    return Interval(low, high, "logit")


def score_interval(area: float, m: int, n: int) -> Interval:
    """Newcombe's method 5 [3]_: (A - t)^2 = z^2 V(t), V of Hanley and McNeil with N = (m + n)/2."""

    def excess(t: float) -> float:
        weight = (m + n) / 2 - 1
        v = t * (1 - t) * (1 + weight * ((1 - t) / (2 - t) + t / (1 + t))) / (m * n)
        return (area - t) ** 2 - Z95**2 * v

    # At the boundary the other limit is the boundary itself; bisect towards the inside.
    outside, inside = (0.0, 1.0) if area == 1 else (1.0, 0.0)
    inside += -1e-12 if area == 1 else 1e-12
    for _ in range(100):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if excess(middle) > 0 else (outside, middle)
    return Interval(min(outside, area), max(outside, area), "score (Newcombe 2006, method 5)")


def auc_difference(truth: Bools, baseline: Floats, comparison: Floats) -> AucDifference:
    """Paired difference of two areas on the same cases [1]_, comparison minus baseline.

    `truth`, `baseline`, `comparison` (N,). z = (A1 - A0) / sqrt(C00 + C11 - 2 C01), computed from
    the differences of the placements, which is the same variance without cancellation.
    Identical readings give z = 0 and p = 1. A difference without variance gives no z and no p.
    """
    m = int(truth.sum())
    n = truth.size - m
    if min(m, n) == 0:
        note = _too_few(m, n, "The difference of AUCs")
        return AucDifference(None, None, None, None, None, None, m, n, notes=(note,))
    zero, one = placements(truth, baseline), placements(truth, comparison)
    d10 = one.of_positives - zero.of_positives
    d01 = one.of_negatives - zero.of_negatives
    difference = float(d10.sum()) / (m * n)
    if min(m, n) == 1:
        note = _too_few(m, n, "The test of the difference of AUCs")
        return AucDifference(difference, None, None, None, None, None, m, n, notes=(note,))
    se = sqrt(_variance(d10, d01))
    if se == 0 and difference != 0:
        text = "The AUCs differ without any variance between cases, so no test can be made."
        note = Note("zero_variance", text)
        return AucDifference(difference, se, None, None, None, None, m, n, notes=(note,))
    z = difference / se if se > 0 else 0.0
    return AucDifference(
        difference, se, z, two_sided_normal(z), difference - Z95 * se, difference + Z95 * se, m, n
    )


@dataclass(frozen=True, slots=True)
class UnpairedAucDifference:
    """Comparison minus baseline of two areas on different cases (parallel arms)."""

    difference: float
    t: float
    df: float
    p: float
    method: str = "DeLong 1988, unpaired, Welch-Satterthwaite degrees of freedom"


def unpaired_auc_difference(baseline: Auc, comparison: Auc) -> UnpairedAucDifference:
    """Difference of two areas on independent cases, as pROC's unpaired DeLong test.

    ValueError when an area or its standard error is undefined, or both have no variance.
    """
    values = (baseline.value, baseline.se, comparison.value, comparison.se)
    if None in values or not (baseline.se or comparison.se):
        raise ValueError("The unpaired test needs two areas, with a variance.")
    a0, se0, a1, se1 = (float(value) for value in values if value is not None)
    n0 = baseline.positives + baseline.negatives
    n1 = comparison.positives + comparison.negatives
    variance = se0**2 + se1**2
    df = variance**2 / (se0**4 / (n0 - 1) + se1**4 / (n1 - 1))
    t = (a1 - a0) / sqrt(variance)
    return UnpairedAucDifference(a1 - a0, t, df, two_sided_t(t, df))
