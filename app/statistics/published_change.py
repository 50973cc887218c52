"""Published NRI and IDI, taken back to the tables behind the two rows they compare.

On calls alone, NRI and IDI depend on the two rows' tables and on nothing else, whether they are
taken of the calls or of the calls refitted by logistic regression in each row. So the tables that
fit the rows also say which of them was published, and whether its p-value can be.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.statistics.published import Counts, NriAudit, audit_nri, rounded_from

HALF = 0.5
CALLS = "calls"
REFITTED = "calls refitted by logistic regression"
REFITTED_CUT = f"{REFITTED} and cut at 0.5"


@dataclass(frozen=True, slots=True)
class PublishedChange:
    """A row compared with another: NRI, its p-value and IDI as printed, None where not printed."""

    row: str
    against: str
    nri: str | None
    nri_p: str | None
    idi: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What an index is on one input: its range over all tables that fit, and whether it agrees."""

    input: str
    low: float
    high: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class ChangeAudit:
    """The readings of a published NRI and IDI; empty where a row has no table, or none is printed.

    `p` is None where no p-value is printed.
    """

    change: PublishedChange
    nri: tuple[Reading, ...]
    idi: tuple[Reading, ...]
    p: NriAudit | None


def _calls(_: Counts) -> tuple[float, float]:
    return 0.0, 1.0


def _refitted(counts: Counts) -> tuple[float, float]:
    """Return the refitted risks of a negative and a positive call: the shares of positives.

    The logistic regression on one binary call is saturated. A call never made weighs nothing.
    """
    negative, positive = counts.fn + counts.tn, counts.tp + counts.fp
    return counts.fn / negative if negative else 0.0, counts.tp / positive if positive else 0.0


def _refitted_cut(counts: Counts) -> tuple[float, float]:
    negative, positive = _refitted(counts)
    return float(negative >= HALF), float(positive >= HALF)


_Values = Callable[[Counts], tuple[float, float]]
_NRI: dict[str, _Values] = {CALLS: _calls, REFITTED_CUT: _refitted_cut}
_IDI: dict[str, _Values] = {CALLS: _calls, REFITTED: _refitted}


def _separation(counts: Counts, values: _Values) -> float:
    """Mean value in events minus mean value in non-events."""
    negative, positive = values(counts)
    events = (counts.fn * negative + counts.tp * positive) / (counts.fn + counts.tp)
    nonevents = (counts.tn * negative + counts.fp * positive) / (counts.tn + counts.fp)
    return events - nonevents


def _readings(
    printed: str | None,
    before: tuple[Counts, ...],
    after: tuple[Counts, ...],
    inputs: dict[str, _Values],
) -> tuple[Reading, ...]:
    if printed is None or not before or not after:
        return ()
    low, high = rounded_from(printed)
    found: list[Reading] = []
    for name, values in inputs.items():
        # Two categories, or a mean: NRI and IDI are both the change of the separation.
        changes = [
            _separation(second, values) - _separation(first, values)
            for first in before
            for second in after
        ]
        agrees = any(low <= change <= high for change in changes)
        found.append(Reading(name, min(changes), max(changes), agrees))
    return tuple(found)


def audit_change(
    change: PublishedChange,
    before: tuple[Counts, ...],
    after: tuple[Counts, ...],
    *,
    positives: int,
    negatives: int,
) -> ChangeAudit:
    """Audit a published comparison, given all tables that fit its two rows."""
    p = None
    if change.nri is not None and change.nri_p is not None:
        # In favour of what is printed: the smallest NRI and the smallest p that round to it.
        low, high = rounded_from(change.nri)
        smallest = max(low, -high, 0.0)
        p = audit_nri(smallest, rounded_from(change.nri_p)[0], positives, negatives)
    return ChangeAudit(
        change,
        _readings(change.nri, before, after, _NRI),
        _readings(change.idi, before, after, _IDI),
        p,
    )
