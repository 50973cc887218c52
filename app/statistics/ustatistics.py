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

from collections.abc import Callable
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


ARMS = ((0, 0), (1, 1), (0, 1))
"""Which two modalities a covariance is of: each with itself, and one with the other."""


def _summed(cells: Floats) -> tuple[Floats, ...]:
    """Sum cells (m, n) over the cases that a pair need not share: all, either class, none."""
    of_positive = cells.sum(axis=1)
    return of_positive.sum(), cells.sum(axis=0), of_positive, cells


def _pairs(a: tuple[Floats, ...], b: tuple[Floats, ...]) -> Floats:
    """Sum of products over all pairs of cells that share what the index says.

    (2, 2): whether the positive, and whether the negative case is shared. Index 0 does not mean
    different: it sums over all pairs, equal or not.
    """
    # Not by vdot: the threads of BLAS wait for each other at every reader on a busy machine.
    return np.array([(x * y).sum() for x, y in zip(a, b, strict=True)]).reshape(2, 2)


def _totals(cells: Callable[[int, int], Floats], readers: int) -> Floats:
    """Sum of products over all pairs that share what the index says, (3, 2, 2, 2).

    The axes: arms as in `ARMS`, reader, positive, negative. `cells` gives those (m, n) of one
    modality and one reader: those of all readers at once would be the largest thing in memory.
    """
    totals = np.zeros((len(ARMS), 2, 2, 2))
    over_readers = [np.zeros_like(cells(modality, 0)) for modality in (0, 1)]
    for reader in range(readers):
        own = [cells(modality, reader) for modality in (0, 1)]
        summed = [_summed(each) for each in own]
        for arm, (a, b) in enumerate(ARMS):
            totals[arm, 1] += _pairs(summed[a], summed[b])
        for modality, each in enumerate(own):
            over_readers[modality] += each
    summed = [_summed(each) for each in over_readers]
    for arm, (a, b) in enumerate(ARMS):
        totals[arm, 0] = _pairs(summed[a], summed[b])
    return totals


def _successes(truth: Bools, scores: Floats) -> Floats:
    """Success of every pair of cases, (m, n), from one reader's scores (C,); 0 where one is nan."""
    positive, negative = scores[truth, None], scores[None, ~truth]
    return (positive > negative) + 0.5 * (positive == negative)


def _read(truth: Bools, scores: Floats) -> Floats:
    """1 where both cases of a pair were read, else 0, (m, n)."""
    return np.outer(~np.isnan(scores[truth]), ~np.isnan(scores[~truth])).astype(np.float64)


def _weights(truth: Bools, scores: Floats) -> Floats:
    """Return how many pairs of cells share what the index says, (3, 2, 2, 2), as `_totals`."""
    if np.isnan(scores).any():
        return _totals(lambda arm, reader: _read(truth, scores[arm, reader]), scores.shape[1])
    counts = scores.shape[1], int(truth.sum()), int((~truth).sum())
    every = [
        prod(count if shared else count**2 for count, shared in zip(counts, pattern, strict=True))
        for pattern in product((0, 1), repeat=3)
    ]
    return np.broadcast_to(np.array(every, dtype=np.float64).reshape(2, 2, 2), (len(ARMS), 2, 2, 2))


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
    totals = _totals(lambda arm, reader: _successes(truth, scores[arm, reader]), readers)
    weights = _weights(truth, scores)
    # A modality's pairs with itself that need share nothing are the square of its number.
    read, succeeded = (sums[:2, 0, 0, 0] ** 0.5 for sums in (weights, totals))
    if not read.all():
        raise ValueError("No reader read a case of each class in both modalities.")
    areas = (float(succeeded[0] / read[0]), float(succeeded[1] / read[1]))
    sums = list(zip(totals, weights, strict=True))
    unbiased = [_moments(totals, weights, "unbiased") for totals, weights in sums]
    mle = [_moments(totals, weights, "mle") for totals, weights in sums]
    # The degrees of freedom take the unbiased components under both estimators, as iMRMC does.
    parts = [moments.parts for moments in unbiased]
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
