"""Variance of reader-averaged areas by U-statistics, with or without missing readings.

References
----------
.. [1] Gallas BD. One-shot estimate of MRMC variance: AUC. Academic Radiology 2006;13:353-362.
.. [2] Gallas BD, Brown DG. Reader studies for validation of CAD systems. Neural Networks
   2008;21:387-397 (studies that are not fully crossed).
.. [3] Gallas BD, Bandos A, Samuelson FW, Wagner RF. A framework for random-effects ROC analysis:
   biases with the bootstrap and other variance estimators. Communications in Statistics - Theory
   and Methods 2009;38:2586-2603.
.. [4] Obuchowski NA, Gallas BD, Hillis SL. Multi-reader ROC studies with split-plot designs: a
   comparison of statistical methods. Academic Radiology 2012;19:1508-1517 (degrees of freedom).
"""

from dataclasses import dataclass
from itertools import product
from math import floor, prod, sqrt
from typing import Literal

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.notes import Note
from app.statistics.tails import Z95, t_quantile, two_sided_normal, two_sided_t

_NORMAL_FROM = 50

Estimator = Literal["unbiased", "mle"]


@dataclass(frozen=True, slots=True)
class UStatistic:
    """A reader-averaged area, or a difference of two, with variance, t test and 95% interval.

    `p` tests a difference against 0 and an area against 1/2.
    """

    value: float
    variance: float
    df: float | None
    p: float | None
    p_normal: float | None
    low: float | None
    high: float | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class UStatistics:
    """Each modality and the difference, comparison minus baseline."""

    baseline: UStatistic
    comparison: UStatistic
    difference: UStatistic


PATTERNS = tuple(product((0, 1), repeat=3))
"""Whether two successes share reader, positive and negative: 1 shared, 0 not."""


@dataclass(frozen=True, slots=True, eq=False)
class _Modality:
    """One modality's successes, summed over each set of factors that a pair need not share."""

    area: float
    successes: tuple[Floats, ...]  # per pattern, the successes summed over what is not shared
    weights: tuple[Floats, ...] | None  # the same of "both cases were read"; None: all were


def _marginals(cells: Floats) -> tuple[Floats, ...]:
    """Sum cells (R, m, n) over the factors that each pattern does not share."""
    over_readers = cells.sum(axis=0)
    sums: list[Floats] = []
    for reader, positive, negative in PATTERNS:
        start, first = (cells, 1) if reader else (over_readers, 0)
        axes = tuple(axis + first for axis, shared in enumerate((positive, negative)) if not shared)
        sums.append(np.ascontiguousarray(start.sum(axis=axes) if axes else start))
    return tuple(sums)


def _modality(truth: Bools, scores: Floats) -> _Modality:
    """Success of every pair of cases, from scores (R, C), nan where a reader did not read."""
    positive, negative = scores[:, truth, None], scores[:, None, ~truth]
    success = (positive > negative) + 0.5 * (positive == negative)  # (R, m, n), False at nan
    if not np.isnan(scores).any():
        return _Modality(float(success.mean()), _marginals(success), None)
    weight = ~np.isnan(positive) & ~np.isnan(negative)
    if not weight.any():
        raise ValueError("No reader read a case of each class in both modalities.")
    area = float(success.sum() / weight.sum())
    return _Modality(area, _marginals(success), _marginals(weight.astype(np.float64)))


def _totals(a: tuple[Floats, ...], b: tuple[Floats, ...]) -> Floats:
    """Sum of products over all pairs that share what the pattern says, (2, 2, 2).

    Index 0 does not mean different: it sums over all pairs, equal or not.
    """
    return np.array([float(np.vdot(x, y)) for x, y in zip(a, b, strict=True)]).reshape(2, 2, 2)


def _weights(a: _Modality, b: _Modality, counts: tuple[int, int, int]) -> Floats:
    if a.weights is None and b.weights is None:
        every = [
            prod(count if shared else count**2 for count, shared in zip(counts, p, strict=True))
            for p in PATTERNS
        ]
        return np.array(every, dtype=np.float64).reshape(2, 2, 2)
    full = _marginals(np.ones(counts))
    return _totals(a.weights or full, b.weights or full)


def _exactly(totals: Floats) -> Floats:
    """From "shared or not" (index 0) to "different" by inclusion and exclusion, each factor."""
    exact = totals.copy()
    for axis in range(3):
        different = exact.take(0, axis=axis) - exact.take(1, axis=axis)
        exact = np.stack((different, exact.take(1, axis=axis)), axis=axis)
    return exact


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Moments (2, 2, 2) of a pair of modalities, and the shares of pairs that have each pattern."""

    moments: Floats
    shares: Floats

    @property
    def covariance(self) -> float:
        """Sum of share times moment, minus the moment of pairs that share nothing [1]_."""
        return float((self.shares * self.moments).sum() - self.moments[0, 0, 0])

    @property
    def parts(self) -> Floats:
        """Components of reader, positive and negative and their interactions, (2, 2, 2) [3]_."""
        parts = self.moments.copy()
        for axis in range(3):
            main = parts.take(1, axis=axis) - parts.take(0, axis=axis)
            parts = np.stack((parts.take(0, axis=axis), main), axis=axis)
        return parts


def _moments(totals: Floats, weights: Floats, estimator: Estimator) -> _Moments:
    exact_weights = _exactly(weights)
    if exact_weights[0, 0, 0] == 0:
        raise ValueError("No two readers read different cases, so no variance can be estimated.")
    shares = exact_weights / weights[0, 0, 0]
    # The MLE takes the readers and cases at hand as the population: pairs may coincide [3]_.
    over, under = (
        (_exactly(totals), exact_weights) if estimator == "unbiased" else (totals, weights)
    )
    return _Moments(np.divide(over, under, out=np.zeros_like(over), where=under > 0), shares)


def u_statistics(truth: Bools, scores: Floats) -> dict[Estimator, UStatistics]:
    """Analyse scores (2, R, C), baseline first, nan where not read; truth (C,).

    Needs two readers and two cases of each class that some reader read; ValueError otherwise.
    """
    m, readers = int(truth.sum()), scores.shape[1]
    n = truth.size - m
    if min(m, n, readers) < 2:  # noqa: PLR2004 - a variance needs two
        raise ValueError(
            f"U-statistics need two readers and two cases of each class, not {readers} readers, "
            f"{m} positive and {n} negative cases."
        )
    counts = (readers, m, n)
    zero, one = (_modality(truth, arm) for arm in scores)
    arms = ((zero, zero), (one, one), (zero, one))
    sums = [(_totals(a.successes, b.successes), _weights(a, b, counts)) for a, b in arms]
    unbiased = [_moments(totals, weights, "unbiased") for totals, weights in sums]
    mle = [_moments(totals, weights, "mle") for totals, weights in sums]
    # The degrees of freedom take the unbiased components under both estimators, as iMRMC does.
    parts = [moments.parts for moments in unbiased]
    areas = (zero.area, one.area)
    return {
        "unbiased": _results(areas, unbiased, parts, counts),
        "mle": _results(areas, mle, parts, counts),
    }


def _results(
    areas: tuple[float, float],
    moments: list[_Moments],
    parts: list[Floats],
    counts: tuple[int, int, int],
) -> UStatistics:
    zero, one, both = (each.covariance for each in moments)
    return UStatistics(
        _result(areas[0], 0.5, zero, parts[0], counts),
        _result(areas[1], 0.5, one, parts[1], counts),
        _result(
            areas[1] - areas[0],
            0.0,
            zero + one - 2 * both,
            parts[0] + parts[1] - 2 * parts[2],
            counts,
        ),
    )


def _degrees_of_freedom(
    variance: float, parts: Floats, counts: tuple[int, int, int]
) -> float | None:
    """Satterthwaite's formula over readers, positives and negatives [4]_."""
    total = 0.0
    for axis, count in enumerate(counts):
        others = [c for other, c in enumerate(counts) if other != axis]
        own = parts.take(1, axis=axis)  # components in which this factor takes part
        scale = np.array([[1, 1 / others[1]], [1 / others[0], 1 / (others[0] * others[1])]])
        total += (float((own * scale).sum()) / count) ** 2 / (count - 1)
    return variance**2 / total if total > 0 else None


def _result(
    value: float, null: float, variance: float, parts: Floats, counts: tuple[int, int, int]
) -> UStatistic:
    df = _degrees_of_freedom(variance, parts, counts)
    if variance <= 1e-15 or df is None:  # noqa: PLR2004 - rounding, not variance
        text = "The estimated variance is not positive, so no test and no interval is given."
        note = Note("no_variance", text)
        return UStatistic(value, max(variance, 0.0), None, None, None, None, None, (note,))
    se = sqrt(variance)
    t = (value - null) / se
    # As iMRMC: degrees of freedom rounded down, and the normal distribution from 50 on.
    normal, whole = df >= _NORMAL_FROM, floor(df) if df >= 1 else df
    p = two_sided_normal(t) if normal else two_sided_t(t, whole)
    half = (Z95 if normal else t_quantile(whole)) * se
    return UStatistic(value, variance, df, p, two_sided_normal(t), value - half, value + half)
