"""Turn a table of readings towards the positive class, and choose its two modalities."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from app.statistics.arrays import Bools, Floats, Integers
from app.statistics.notes import Warning  # noqa: A004 - the word of the results
from app.statistics.table import NONE, ReadingTable

DEFAULT_THRESHOLD = 0.5


class PrepareError(ValueError):
    """The analysis cannot begin; the sentence says what it needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A study ready for analysis. M modalities (baseline first), R readers, C cases."""

    positive: str
    negative: str
    modalities: tuple[str, ...]
    readers: tuple[str, ...]
    cases: tuple[str, ...]
    simulated: frozenset[str]
    truth: Bools  # (C,)
    called: Integers  # (M, R, C) 1 positive, 0 negative, NONE
    scores: Floats  # (M, R, C) higher speaks for positive, nan
    read: Bools  # (M, R, C)
    again_called: Integers  # (M, R, C) of second readings
    again_scores: Floats  # (M, R, C)
    advice_called: Integers  # (R, C)
    model_called: Integers  # (C,)
    model_scores: Floats  # (C,)
    probabilities: bool
    threshold: float | None
    warnings: tuple[Warning, ...]


def prepare(
    table: ReadingTable, positive: str, baseline: str, comparison: str, threshold: float | None
) -> Prepared:
    """Choose classes, modalities and threshold; PrepareError when one of them is not there."""
    warnings: list[Warning] = []
    if threshold is not None and not isfinite(threshold):
        raise PrepareError("The threshold has to be a finite number.")
    positive, negative = _classes(table, positive)
    modalities = _modalities(table, baseline, comparison, warnings)
    chosen = [table.modalities.index(name) for name in modalities]
    scores, again, advice = table.scores[chosen], table.again_scores[chosen], table.advice
    within = _within_unit(scores)
    if speaks_for_other(table, positive, negative):
        # A probability of the other class, turned: 1 - p.
        again = 1 - again if within else -again
        scores, advice = turned(scores), 1 - advice
        text = f"Scores speak for {table.score_class}; they were turned to speak for {positive}."
        warnings.append(Warning("scores_turned", "scores", text))
    used, called = _called(table, chosen, scores, positive, threshold, within, warnings)
    again_called = _to_positive(table, table.again_calls[chosen], positive)
    if used is not None:
        fill = (again_called == NONE) & ~np.isnan(again)
        again_called = np.where(fill, again >= used, again_called).astype(np.int64)
    if table.unused:
        text = f"{table.unused} third or later readings of a case by the same reader were not used."
        warnings.append(Warning("later_readings", "agreement", text))
    advice_called = _to_positive(table, table.advice_calls, positive)
    fill = (advice_called == NONE) & ~np.isnan(advice)
    advice_called = np.where(fill, advice >= DEFAULT_THRESHOLD, advice_called).astype(np.int64)
    model_called, model_scores = _model(advice_called, advice, warnings)
    if scores.size and not within:
        text = "Scores lie outside 0 to 1, so they are no risks: no IDI, no Brier score on them."
        warnings.append(Warning("score_scale", "scores", text))
    return Prepared(
        *(positive, negative, modalities, table.readers, table.cases, table.simulated),
        truth=table.truth == _index(table, positive),
        called=called,
        scores=scores,
        read=table.read[chosen],
        again_called=again_called,
        again_scores=again,
        advice_called=advice_called,
        model_called=model_called,
        model_scores=model_scores,
        probabilities=within,
        threshold=used,
        warnings=tuple(warnings),
    )


def speaks_for_other(table: ReadingTable, positive: str, negative: str) -> bool:
    """Whether a high score of the table speaks for `negative`; PrepareError for neither class."""
    if table.score_class is None or table.score_class.casefold() == positive.casefold():
        return False
    if table.score_class.casefold() == negative.casefold():
        return True
    raise PrepareError(
        f"A high score is to speak for {table.score_class}, but the readings are about {positive} "
        f"and {negative}. Name one of these as the class of the scores."
    )


def turned(scores: Floats) -> Floats:
    """Return scores of the other class: 1 - p where all lie between 0 and 1, else -score."""
    return 1 - scores if _within_unit(scores) else -scores


def _within_unit(scores: Floats) -> bool:
    known = scores[~np.isnan(scores)]
    return bool(((known >= 0) & (known <= 1)).all())


def _index(table: ReadingTable, name: str) -> int:
    return table.classes.index(name) if name in table.classes else NONE - 1


def _classes(table: ReadingTable, positive: str) -> tuple[str, str]:
    """Return the positive and the negative class as the table spells them."""
    for name in table.classes:
        if name.casefold() == positive.casefold():
            others = [other for other in table.classes if other != name]
            return name, others[0] if others else f"not {name}"
    if len(table.classes) == 1:
        return positive, table.classes[0]
    listed = " and ".join(table.classes)
    raise PrepareError(
        f"The positive class is to be {positive}, but the readings are about {listed}. "
        "Name one of these as the positive class."
    )


def _modalities(
    table: ReadingTable, baseline: str, comparison: str, warnings: list[Warning]
) -> tuple[str, ...]:
    known = {name.casefold(): name for name in table.modalities}
    asked = [known[name.casefold()] for name in (baseline, comparison) if name.casefold() in known]
    listed = ", ".join(table.modalities)
    if len(asked) == 2 and asked[0] != asked[1]:  # noqa: PLR2004 - baseline and comparison
        others = [name for name in table.modalities if name not in asked]
        if others:
            text = f"Left out, as not asked for: {', '.join(others)}."
            warnings.append(Warning("modalities_left_out", "modalities", text))
        return tuple(asked)
    if len(table.modalities) == 1:
        text = f"There is only one modality, {listed}, so there is nothing to compare."
        warnings.append(Warning("one_modality", "modalities", text))
        return table.modalities
    if not asked and len(table.modalities) == 2:  # noqa: PLR2004
        first, second = table.modalities
        text = (
            f"No modality is named {baseline} or {comparison}; {first} was taken as the baseline "
            f"and {second} as the comparison. Name them to choose otherwise."
        )
        warnings.append(Warning("modalities_chosen", "modalities", text))
        return table.modalities
    raise PrepareError(
        f"The modalities {baseline} and {comparison} are to be compared, but the readings have "
        f"{listed}. Name two of these as baseline and comparison."
    )


def _to_positive(table: ReadingTable, calls: Integers, positive: str) -> Integers:
    return np.where(calls == NONE, NONE, calls == _index(table, positive)).astype(np.int64)


def _called(
    table: ReadingTable,
    chosen: list[int],
    scores: Floats,
    positive: str,
    threshold: float | None,
    within: bool,  # noqa: FBT001
    warnings: list[Warning],
) -> tuple[float | None, Integers]:
    """Return the threshold where one was used, and the calls (M, R, C)."""
    called = _to_positive(table, table.calls[chosen], positive)
    fill = (called == NONE) & ~np.isnan(scores)
    if not fill.any():
        if threshold is not None:
            text = "Every reading carries a call, so the threshold was not used."
            warnings.append(Warning("threshold_unused", "calls", text))
        return None, called
    used = DEFAULT_THRESHOLD if threshold is None and within else threshold
    if used is None:
        return None, called
    if (called != NONE).any():
        text = f"{int(fill.sum())} readings without a call were called by score >= {used:g}."
        warnings.append(Warning("calls_from_scores", "calls", text))
    return used, np.where(fill, scores >= used, called).astype(np.int64)


def _model(called: Integers, advice: Floats, warnings: list[Warning]) -> tuple[Integers, Floats]:
    """Return the model's call and probability of each case (C,), where all readers saw the same."""
    seen = ~np.isnan(advice)
    highest = np.where(seen, advice, -np.inf).max(axis=0)
    lowest = np.where(seen, advice, np.inf).min(axis=0)
    scores = np.where(seen.any(axis=0), lowest, np.nan)
    calls = called.max(axis=0)
    clash = (called == 0).any(axis=0) & (called == 1).any(axis=0)
    clash |= seen.any(axis=0) & (highest != lowest)
    if clash.any():
        text = (
            f"On {int(clash.sum())} cases readers saw different outputs of the model (several "
            "versions?); these cases are left out of the model's own results."
        )
        warnings.append(Warning("model_differs", "model", text))
    return np.where(clash, NONE, calls).astype(np.int64), np.where(clash, np.nan, scores)
