"""Several readers together: what holds for readers and cases in general, and what does not."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.covariance import (
    METHODS,
    Estimates,
    Method,
    area_estimates,
    share_estimates,
)
from app.statistics.notes import Note
from app.statistics.obuchowski_rockette import ObuchowskiRockette, obuchowski_rockette
from app.statistics.prepare import Prepared
from app.statistics.table import NONE
from app.statistics.ustatistics import Estimator, UStatistic, u_statistics

FEWEST_RANDOM_READERS = 4
"""Below this many readers the analysis with fixed readers is the default."""

FEW_READERS = 5
"""Up to this many readers a study carries no claim about readers in general."""

COMPLETE = 0.9
"""Below this share of cases that everybody read in both, the U-statistics are reported."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of accuracy, averaged over readers and compared between the modalities.

    `obuchowski_rockette` uses the cases that every reader read in both modalities;
    `u_statistics` are those of the difference and use every reading. `default` names the
    analysis to report: one of the tests of Obuchowski and Rockette, or "u_statistics".
    """

    cases: int
    positives: int
    negatives: int
    default: str
    obuchowski_rockette: dict[Method, ObuchowskiRockette] | None
    u_statistics: dict[Estimator, UStatistic] | None
    u_statistics_modalities: dict[Estimator, dict[str, UStatistic]] | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Mrmc:
    """All measures over readers, and the population to which they apply."""

    readers: tuple[str, ...]
    population: str
    auc: Measure
    auc_calls: Measure
    sensitivity: Measure
    specificity: Measure
    notes: tuple[Note, ...] = ()


def population_sentence(readers: int) -> str:
    """Say to whom results from this many readers apply."""
    if readers == 1:
        return "One reader: the result is about this reader, on cases like these."
    # Two whole sentences, for the language files know each by its words.
    freedom = readers - 1
    if freedom == 1:
        return (
            f"{readers} readers: the result is about these readers only, on cases like these. So "
            "few cannot stand for readers in general: the variation between readers would be "
            f"estimated from {freedom} degree of freedom."
        )
    if readers < FEWEST_RANDOM_READERS:
        return (
            f"{readers} readers: the result is about these readers only, on cases like these. So "
            "few cannot stand for readers in general: the variation between readers would be "
            f"estimated from {freedom} degrees of freedom."
        )
    if readers <= FEW_READERS:
        return (
            f"{readers} readers: the test treats them as a sample of readers like these, but so "
            "few carry no claim about readers in general."
        )
    return (
        f"{readers} readers: the result is about readers like these and cases like these, as far "
        "as both were drawn at random."
    )


def mrmc(study: Prepared) -> Mrmc:
    """Analyse all readers of a study with two modalities."""
    calls = np.where(study.called == NONE, np.nan, study.called)  # (2, R, C)
    positive = calls[:, :, study.truth]
    negative = 1 - calls[:, :, ~study.truth]
    readers = len(study.readers)
    sentence = population_sentence(readers)
    notes: tuple[Note, ...] = ()
    if readers <= FEW_READERS:
        notes = (Note("few_readers", sentence),)
    notes += _design(study.read)
    names = study.modalities
    # One answer for all measures, so that a table does not change its method from row to row.
    sparse = readers >= FEWEST_RANDOM_READERS and _complete(study.read) < COMPLETE
    return Mrmc(
        study.readers,
        sentence,
        _measure(study.truth, study.scores, names, area_estimates, "score", sparse=sparse),
        _measure(study.truth, calls, names, area_estimates, "call", sparse=sparse),
        _measure(*_as_areas(positive), names, _shares, "call", sparse=sparse),
        _measure(*_as_areas(negative), names, _shares, "call", sparse=sparse, positive=False),
        notes,
    )


def _complete(read: Bools) -> float:
    """Return what share of the cases read (2, R, C) by anybody was read by all in both."""
    return float(read.all(axis=(0, 1)).sum() / max(read.any(axis=(0, 1)).sum(), 1))


def _design(read: Bools) -> tuple[Note, ...]:
    """Say what kind of incomplete design the readings (2, R, C) are, and what serves it."""
    if read.shape[1] == 1 or read.all(axis=(0, 1)).any():
        return ()
    if not read.any(axis=2).all(axis=0).any():
        what = "No reader read in both modalities: readers are nested in modalities"
    elif not read.any(axis=1).all(axis=0).any():
        what = "No case was read in both modalities: cases are nested in modalities"
    else:
        what = "No case was read by every reader in both modalities: split-plot or unbalanced"
    text = (
        f"{what}. The Obuchowski-Rockette analysis needs cases that everybody read in both, and is "
        "refused; the U-statistics serve such a design, for readers and cases like these."
    )
    return (Note("incomplete_design", text),)


def _as_areas(right: Floats) -> tuple[Bools, Floats]:
    """Write shares (2, R, K) as areas against two cases that always score one half.

    A right call then wins and a wrong one loses, so that the area is the share of right calls,
    and the two cases add no variance.
    """
    halves = np.full((*right.shape[:2], 2), 0.5)
    truth = np.repeat([True, False], [right.shape[2], 2])
    return truth, np.concatenate((right, halves), axis=2)


def _shares(truth: Bools, values: Floats) -> Estimates:
    return share_estimates(values[:, truth] == 1)


def _measure(
    truth: Bools,
    values: Floats,
    names: tuple[str, ...],
    estimate: Callable[[Bools, Floats], Estimates],
    what: str,
    *,
    sparse: bool,
    positive: bool = True,
) -> Measure:
    """Analyse values (2, R, C), nan where missing; shares come as areas from `_as_areas`."""
    readers = values.shape[1]
    complete = ~np.isnan(values).any(axis=(0, 1))
    shares = estimate is _shares
    m = int((complete & truth).sum())
    n = 0 if shares else int(complete.sum()) - m
    default = (
        "random_readers_random_cases"
        if readers >= FEWEST_RANDOM_READERS
        else "fixed_readers_random_cases"
    )
    if np.isnan(values).all():
        note = Note(f"no_{what}s", f"No reading has a {what}, so there is nothing to average.")
        return Measure(0, 0, 0, default, None, None, None, (note,))
    notes: list[Note] = []
    tested = _obuchowski_rockette(truth[complete], values[:, :, complete], estimate, notes)
    if not complete.all():
        text = (
            f"{int((~complete).sum())} cases lack a {what} of some reader; the "
            "Obuchowski-Rockette analysis leaves them out, the U-statistics keep them."
        )
        notes.append(Note("incomplete_cases", text))
    u, by_modality = _u_statistics(truth, values, names, notes)
    if u is not None and (tested is None or sparse):
        default = "u_statistics"
    counts = (m, n) if positive else (n, m)
    return Measure(m + n, *counts, default, tested, u, by_modality, tuple(notes))


def _obuchowski_rockette(
    truth: Bools,
    values: Floats,
    estimate: Callable[[Bools, Floats], Estimates],
    notes: list[Note],
) -> dict[Method, ObuchowskiRockette] | None:
    _, readers, cases = values.shape
    try:
        estimates = estimate(truth, values.reshape(2 * readers, cases))
    except ValueError as refused:
        notes.append(Note("too_few_cases", f"No analysis over readers: {refused}"))
        return None
    cells = (2, readers)
    return {
        method: obuchowski_rockette(
            estimates.values.reshape(cells),
            estimates.covariance[method].reshape(*cells, *cells),
            method,
        )
        for method in METHODS
    }


def _u_statistics(
    truth: Bools, values: Floats, names: tuple[str, ...], notes: list[Note]
) -> tuple[dict[Estimator, UStatistic] | None, dict[Estimator, dict[str, UStatistic]] | None]:
    try:
        found = u_statistics(truth, values)
    except ValueError as refused:
        if values.shape[1] > 1:
            notes.append(Note("no_u_statistics", f"No U-statistics: {refused}"))
        return None, None
    return (
        {estimator: _ended(each.difference, -1.0) for estimator, each in found.items()},
        {
            estimator: {
                names[0]: _ended(each.baseline, 0.0),
                names[1]: _ended(each.comparison, 0.0),
            }
            for estimator, each in found.items()
        },
    )


def _ended(found: UStatistic, least: float) -> UStatistic:
    """End the interval at what an area, or a difference of areas, can be: few readers pass it."""
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, least), high=min(found.high, 1.0))
