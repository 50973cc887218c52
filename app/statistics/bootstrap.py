"""Bootstrap intervals of paired differences: cases are drawn within each class, pairs together.

References
----------
.. [1] Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman and Hall 1993, ch. 14
   (percentile and BCa intervals).
.. [2] Davison AC, Hinkley DV. Bootstrap Methods and their Application. Cambridge University Press
   1997, ch. 5 (acceleration with several samples).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.tails import Z95, normal_cdf, normal_quantile

_HALF = 0.5
METHOD = "paired bootstrap, stratified by truth"


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """B weightings of the events (B, m) and of the non-events (B, n), with their sums (B,).

    Either may have a single row, which stands for B equal ones.
    """

    events: Floats
    nonevents: Floats
    events_total: Floats
    nonevents_total: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """The cases as they are, as they were drawn, and with each case left out in turn."""

    observed: Weights
    drawn: Weights
    without_event: Weights
    without_nonevent: Weights
    resamples: int


Statistic = Callable[[Weights], Floats]
"""Gives the B values of a statistic under B weightings."""


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """95% intervals by percentiles and by BCa [1]_; BCa is None where it cannot be formed."""

    value: float
    se: float
    low: float
    high: float
    bca_low: float | None
    bca_high: float | None


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Intervals by the name of what was resampled."""

    resamples: int
    seed: int
    intervals: dict[str, BootstrapInterval]
    method: str = METHOD


def _weights(events: Floats, nonevents: Floats) -> Weights:
    return Weights(events, nonevents, events.sum(axis=1), nonevents.sum(axis=1))


@lru_cache(maxsize=1)
def draw(m: int, n: int, resamples: int, seed: int) -> Resamples:
    """Draw m of m events and n of n non-events, `resamples` times, from `seed`.

    The last draw is kept, as the readers of a study mostly share their cases.
    """
    generator = np.random.default_rng(seed)

    def counts(size: int) -> Floats:
        drawn = generator.integers(0, size, (resamples, size))
        drawn += size * np.arange(resamples)[:, None]
        flat = np.bincount(drawn.ravel(), minlength=resamples * size)
        return flat.reshape(resamples, size).astype(np.float64)

    events, nonevents = np.ones((1, m)), np.ones((1, n))
    return Resamples(
        _weights(events, nonevents),
        _weights(counts(m), counts(n)),
        _weights(1 - np.eye(m), nonevents),
        _weights(events, 1 - np.eye(n)),
        resamples,
    )


def paired_statistics(
    events: Bools,
    *,
    scores: tuple[Floats, Floats] | None,
    calls: tuple[Bools, Bools] | None,
    probabilities: bool,
) -> dict[str, Statistic]:
    """Statistics of one reader's two modalities on N cases; scores and calls are pairs of (N,)."""
    found: dict[str, Statistic] = {}
    if scores is not None:
        zero, one = scores
        found["auc"] = _area_difference(events, zero, one)
        found["nri.category_free"] = _net(events, (one > zero).astype(np.float64) - (one < zero))
        if probabilities:
            found["idi.scores"] = _net(events, one - zero)
    if calls is not None:
        before, after = calls
        change = after.astype(np.float64) - before
        # On calls NRI, IDI and twice the difference of areas are one and the same.
        found["nri.calls"] = found["idi.calls"] = _net(events, change)
        found["auc_calls"] = _net(events, change / 2)
        cells = _Cells(events, before, after)
        found["nri.refitted"] = cells.cut
        found["nri.refitted_category_free"] = cells.category_free
        found["idi.refitted"] = cells.discrimination
    return found


def bootstrap_intervals(
    statistics: dict[str, Statistic], sample: Resamples, seed: int
) -> Bootstrap:
    """Percentile and BCa intervals of each statistic over the same resamples."""
    known: dict[int, BootstrapInterval] = {}  # some names share one statistic
    for statistic in statistics.values():
        if id(statistic) not in known:
            known[id(statistic)] = _interval(statistic, sample)
    intervals = {name: known[id(statistic)] for name, statistic in statistics.items()}
    return Bootstrap(sample.resamples, seed, intervals)


def _net(events: Bools, change: Floats) -> Statistic:
    """Mean change among events minus mean change among non-events."""
    up, down = change[events], change[~events]

    def statistic(weights: Weights) -> Floats:
        gained = weights.events @ up / weights.events_total
        return gained - weights.nonevents @ down / weights.nonevents_total

    return statistic


def _area_difference(events: Bools, zero: Floats, one: Floats) -> Statistic:

    def wins(scores: Floats) -> Floats:
        up, down = scores[events][:, None], scores[~events]
        return ((up > down).astype(np.float64) - (up < down)) / 2

    difference = wins(one) - wins(zero)  # (m, n)

    def statistic(weights: Weights) -> Floats:
        w, u = weights.events, weights.nonevents
        if u.shape[0] == 1:
            total = w @ (difference @ u[0])
        elif w.shape[0] == 1:
            total = u @ (w[0] @ difference)
        else:
            total = np.einsum("bn,bn->b", w @ difference, u)
        return total / (weights.events_total * weights.nonevents_total)

    return statistic


class _Cells:
    """Cases by (call before, call after): all that a refit of the calls depends on."""

    def __init__(self, events: Bools, before: Bools, after: Bools) -> None:
        patterns = [(x, y) for x in (False, True) for y in (False, True)]
        cells = np.stack([(before == x) & (after == y) for x, y in patterns], axis=1)
        self._events, self._nonevents = (
            cells[chosen].astype(np.float64) for chosen in (events, ~events)
        )  # (m, 4), (n, 4)
        self._before = np.array([x for x, _ in patterns])
        self._after = np.array([y for _, y in patterns])
        self._known: dict[int, tuple[Floats, Floats, Floats]] = {}

    def _refitted(self, weights: Weights) -> tuple[Floats, Floats, Floats]:
        """Share of each cell in events minus in non-events, and risks before and after, (B, 4)."""
        known = self._known.get(id(weights))
        if known is not None:
            return known
        up, down = weights.events @ self._events, weights.nonevents @ self._nonevents
        both = up + down
        up_there = np.broadcast_to(up, both.shape)

        def risk(called: Bools) -> Floats:
            risks = np.empty_like(both)
            for value in (False, True):
                cells = called == value
                total = both[:, cells].sum(axis=1)
                # A call that does not occur in a resample has no case and no say.
                share = up_there[:, cells].sum(axis=1) / np.where(total > 0, total, 1.0)
                risks[:, cells] = share[:, None]
            return risks

        net = up / weights.events_total[:, None] - down / weights.nonevents_total[:, None]
        self._known[id(weights)] = net, risk(self._before), risk(self._after)
        return self._known[id(weights)]

    def cut(self, weights: Weights) -> Floats:
        """NRI of the refitted risks cut at 0.5."""
        net, before, after = self._refitted(weights)
        return (net * ((after >= _HALF) * 1.0 - (before >= _HALF))).sum(axis=1)

    def category_free(self, weights: Weights) -> Floats:
        """NRI of the refitted risks, category-free."""
        net, before, after = self._refitted(weights)
        return (net * ((after > before) * 1.0 - (after < before))).sum(axis=1)

    def discrimination(self, weights: Weights) -> Floats:
        """IDI of the refitted risks."""
        net, before, after = self._refitted(weights)
        return (net * (after - before)).sum(axis=1)


def _interval(statistic: Statistic, sample: Resamples) -> BootstrapInterval:
    value = float(statistic(sample.observed)[0])
    drawn = statistic(sample.drawn)
    low, high = (float(limit) for limit in np.quantile(drawn, (0.025, 0.975)))
    # Resamples that equal the estimate count half; rounding must not decide which do.
    bias = (float((drawn < value - 1e-12).sum()) + float((drawn <= value + 1e-12).sum())) / 2
    acceleration = _acceleration(
        value - statistic(sample.without_event), value - statistic(sample.without_nonevent)
    )
    bca_low, bca_high = _bca(drawn, bias / drawn.size, acceleration)
    return BootstrapInterval(value, float(drawn.std(ddof=1)), low, high, bca_low, bca_high)


def _acceleration(events: Floats, nonevents: Floats) -> float | None:
    """Acceleration from jackknife influence values of both classes [2]_."""
    cubes = squares = 0.0
    for left_out in (events, nonevents):
        count = left_out.size
        influence = (count - 1) * (left_out - left_out.mean())
        cubes += float((influence**3).sum()) / count**3
        squares += float((influence**2).sum()) / count**2
    return cubes / (6 * squares**1.5) if squares > 1e-24 else None  # noqa: PLR2004 - rounding


def _bca(
    drawn: Floats, below: float, acceleration: float | None
) -> tuple[float | None, float | None]:
    """BCa limits [1]_; None where bias or acceleration leave no finite level."""
    if acceleration is None or not 0 < below < 1:
        return None, None
    z0 = normal_quantile(below)
    levels: list[float] = []
    for z in (-Z95, Z95):
        slope = 1 - acceleration * (z0 + z)
        if slope <= 0:
            return None, None
        levels.append(normal_cdf(z0 + (z0 + z) / slope))
    low, high = (float(limit) for limit in np.quantile(drawn, levels))
    return low, high
