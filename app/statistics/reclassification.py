"""Net reclassification improvement and integrated discrimination improvement.

References
----------
.. [1] Pencina MJ, D'Agostino RB Sr, D'Agostino RB Jr, Vasan RS. Evaluating the added predictive
   ability of a new marker. Statistics in Medicine 2008;27:157-172.
.. [2] Pencina MJ, D'Agostino RB Sr, Steyerberg EW. Extensions of net reclassification improvement
   calculations to measure usefulness of new biomarkers. Statistics in Medicine 2011;30:11-21.
.. [3] Hilden J, Gerds TA. A note on the evaluation of novel biomarkers: do not rely on integrated
   discrimination improvement and net reclassification index. Statistics in Medicine
   2014;33:3405-3414.
.. [4] Pepe MS, Janes H, Li CI. Net risk reclassification p values: valid or misleading? Journal
   of the National Cancer Institute 2014;106:dju041.
"""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from app.statistics.arrays import Bools, Floats, Integers
from app.statistics.notes import Note
from app.statistics.tails import Z95, two_sided_normal

FEW_EVENTS = 20
"""Below this many events or non-events NRI and IDI carry no z and no p."""


@dataclass(frozen=True, slots=True)
class Improvement:
    """An NRI or an IDI with its event and non-event parts, which add up to `value`."""

    value: float | None
    events: float | None
    nonevents: float | None
    se: float | None
    se_events: float | None
    se_nonevents: float | None
    z: float | None
    p: float | None
    low: float | None
    high: float | None
    n_events: int
    n_nonevents: int
    input: str
    method: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Reclassification:
    """Counts of cases by category: rows baseline, columns comparison, lowest category first."""

    events: tuple[tuple[int, ...], ...]
    nonevents: tuple[tuple[int, ...], ...]
    labels: tuple[str, ...]


def _improvement(
    events: tuple[float, float],
    nonevents: tuple[float, float],
    counts: tuple[int, int],
    source: str,
    method: str,
) -> Improvement:
    """Put (part, variance) of events and of non-events together."""
    value = events[0] + nonevents[0]
    variance = events[1] + nonevents[1]
    se = sqrt(variance)
    notes: tuple[Note, ...] = ()
    z = p = None
    if se > 0:
        z = value / se
        p = two_sided_normal(z)
    if min(events[1], nonevents[1]) == 0:
        text = "No variance among the events or among the non-events: the normal test misleads."
        notes = (Note("zero_variance", text),)
    return Improvement(
        value,
        events[0],
        nonevents[0],
        se,
        sqrt(events[1]),
        sqrt(nonevents[1]),
        z,
        p,
        value - Z95 * se,
        value + Z95 * se,
        *counts,
        source,
        method,
        notes,
    )


def _undefined(m: int, n: int, least: int, source: str, method: str) -> Improvement:
    text = f"Undefined with {m} events and {n} non-events: at least {least} of each are needed."
    note = Note("too_few_cases", text)
    return Improvement(
        *(None, None, None, None, None, None, None, None, None, None),
        *(m, n, source, method, (note,)),
    )


def _net(up: int, down: int, n: int) -> tuple[float, float]:
    """Net proportion moving up, and its variance as in [2]_ (multinomial)."""
    return (up - down) / n, (up + down) / n**2 - (up - down) ** 2 / n**3


def net_reclassification(
    events: Bools, baseline: Floats, comparison: Floats, *, source: str
) -> Improvement:
    """NRI of [1]_ and [2]_: any rise counts as up, any fall as down.

    `events` (N,) True = event; `baseline`, `comparison` (N,) risks, category numbers or calls,
    named by `source`. Part of the events: (up - down) / m; of the non-events: (down - up) / n.
    The standard error is that of [2]_, as in Hmisc's improveProb.
    """
    method = "Pencina 2008, 2011"
    m = int(events.sum())
    n = events.size - m
    if min(m, n) == 0:
        return _undefined(m, n, 1, source, method)
    up, down = comparison > baseline, comparison < baseline
    return _improvement(
        _net(int((up & events).sum()), int((down & events).sum()), m),
        _net(int((down & ~events).sum()), int((up & ~events).sum()), n),
        (m, n),
        source,
        method,
    )


def integrated_discrimination(
    events: Bools, baseline: Floats, comparison: Floats, *, source: str
) -> Improvement:
    """IDI of [1]_: mean change of the risk in events minus mean change in non-events.

    `events` (N,), `baseline`, `comparison` (N,) risks in [0, 1]; standard error from the paired
    changes (ddof 1), as in Hmisc's improveProb. ValueError for a risk outside [0, 1].
    """
    method = "Pencina 2008; standard error of paired changes"
    m = int(events.sum())
    n = events.size - m
    for risks in (baseline, comparison):
        if risks.size and (risks.min() < 0 or risks.max() > 1):
            raise ValueError("The IDI needs risks between 0 and 1.")
    if min(m, n) < 2:  # noqa: PLR2004 - a variance needs two
        return _undefined(m, n, 2, source, method)
    change = comparison - baseline
    return _improvement(_mean(change[events]), _mean(-change[~events]), (m, n), source, method)


def _mean(change: Floats) -> tuple[float, float]:
    """Mean change and its variance; equal changes have none, whatever the rounding."""
    same = np.ptp(change) < 1e-12  # noqa: PLR2004 - 0.8 - 0.7 and 0.7 - 0.6 differ by rounding
    variance = 0.0 if same else float(change.var(ddof=1)) / change.size
    return float(change.mean()), variance


def guarded(result: Improvement) -> Improvement:
    """Withhold z and p where they mislead [3]_, [4]_: few events, or no variance in a class."""
    if result.value is None:
        return result
    fewest = min(result.n_events, result.n_nonevents)
    if fewest < FEW_EVENTS:
        text = (
            f"No z and no p: {result.n_events} events and {result.n_nonevents} non-events, and "
            f"below {FEW_EVENTS} of either the normal approximation misleads."
        )
        note = Note("few_events", text)
        return replace(result, z=None, p=None, notes=(*result.notes, note))
    if 0 in {result.se_events, result.se_nonevents}:
        return replace(result, z=None, p=None)
    return result


def categories(risks: Floats, cutoffs: tuple[float, ...]) -> Integers:
    """Category of each risk (N,), right-open: a risk equal to a cutoff lies above it."""
    return np.searchsorted(np.array(cutoffs), risks, side="right").astype(np.int64)


def reclassification_table(
    events: Bools, baseline: Integers, comparison: Integers, labels: tuple[str, ...]
) -> Reclassification:
    """Cross-tabulate categories (N,) numbered from 0, events and non-events apart."""
    k = len(labels)

    def table(chosen: Bools) -> tuple[tuple[int, ...], ...]:
        flat = np.bincount(baseline[chosen] * k + comparison[chosen], minlength=k * k)
        return tuple(tuple(int(count) for count in row) for row in flat.reshape(k, k))

    return Reclassification(table(events), table(~events), labels)
