"""The readings of a study as arrays: reader x case x modality, whatever order the rows came in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import isfinite

import numpy as np

from app.statistics.arrays import Bools, Floats, Integers

Row = tuple[str, str, str, str, str | None, float | None, float | None, str | None]
"""reader, case, truth, modality, call, score, AI probability, AI call.

Truth and calls are class names. A reading without call and without score counts as missing.
"""

NONE = -1
"""A call that was not made."""


class TableError(ValueError):
    """The rows contradict each other; the sentence says where."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadingTable:
    """All readings of a study. M modalities, R readers, C cases; names sorted naturally."""

    readers: tuple[str, ...]
    cases: tuple[str, ...]
    modalities: tuple[str, ...]
    classes: tuple[str, ...]
    truth: Integers  # (C,) index into classes
    calls: Integers  # (M, R, C) index into classes, NONE where there is no call
    scores: Floats  # (M, R, C), nan where there is no score
    again_calls: Integers  # (M, R, C) the same of second readings of a case
    again_scores: Floats  # (M, R, C)
    advice_calls: Integers  # (R, C) the AI's call as shown to this reader, or NONE
    advice: Floats  # (R, C) the AI's probability, or nan
    rows: int
    score_class: str | None = None
    """The class for which a high score and a high AI probability speak; None: the positive one."""
    simulated: frozenset[str] = field(default_factory=frozenset[str])
    unused: int = 0
    """Third and later readings of a case, which nothing here uses."""

    @property
    def read(self) -> Bools:
        """Which cells hold a reading, (M, R, C)."""
        return (self.calls != NONE) | ~np.isnan(self.scores)

    def of_cases(self, chosen: Bools) -> "ReadingTable":
        """Return the table of the chosen cases (C,); all readers and modalities stay."""
        return replace(
            self,
            cases=tuple(case for case, keep in zip(self.cases, chosen, strict=True) if keep),
            truth=self.truth[chosen],
            calls=self.calls[:, :, chosen],
            scores=self.scores[:, :, chosen],
            again_calls=self.again_calls[:, :, chosen],
            again_scores=self.again_scores[:, :, chosen],
            advice_calls=self.advice_calls[:, chosen],
            advice=self.advice[:, chosen],
            rows=int(self.read[:, :, chosen].sum()),
        )


def natural_key(name: str) -> tuple[tuple[int, str | int], ...]:
    """Sort key under which "reader 2" comes before "reader 10"."""
    parts = re.split(r"(\d+)", name)
    keyed = ((1, int(part)) if part.isdecimal() else (0, part) for part in parts)
    return (*keyed, (2, name))


def table_from_rows(
    rows: Iterable[Row],
    *,
    repeats: Iterable[Row] = (),
    unused: int = 0,
    score_class: str | None = None,
    simulated: frozenset[str] = frozenset(),
) -> ReadingTable:
    """Build the table; TableError when two rows contradict each other or classes exceed two.

    `repeats` are second readings of cells of `rows`: they tell how far a reader agrees with
    himself or herself, and nothing else.
    """
    kept, second = list(rows), list(repeats)
    if not kept:
        raise TableError("There is no reading to analyse.")
    readers = _names(row[0] for row in kept)
    cases = _names(row[1] for row in kept)
    modalities = _names(row[3] for row in kept)
    classes = _classes([*kept, *second])
    reader_at, case_at, modality_at, class_at = (
        {name: index for index, name in enumerate(names)}
        for names in (readers, cases, modalities, classes)
    )
    shape = (len(modalities), len(readers), len(cases))
    truth = np.full(len(cases), NONE, dtype=np.int64)
    calls = np.full(shape, NONE, dtype=np.int64)
    scores = np.full(shape, np.nan)
    advice_calls = np.full(shape[1:], NONE, dtype=np.int64)
    advice = np.full(shape[1:], np.nan)
    seen: set[tuple[int, int, int]] = set()
    for reader, case, true_class, modality, call, score, probability, ai_call in kept:
        r, c, m = reader_at[reader], case_at[case], modality_at[modality]
        if (m, r, c) in seen:
            raise TableError(f"Reader {reader} has two {modality} readings of case {case}.")
        seen.add((m, r, c))
        known = class_at[true_class]
        if truth[c] not in {NONE, known}:
            raise TableError(f"Case {case} has two different reference diagnoses.")
        truth[c] = known
        if score is not None and not isfinite(score):
            raise TableError(f"Reader {reader}'s score of case {case} is not a finite number.")
        calls[m, r, c] = NONE if call is None else class_at[call]
        scores[m, r, c] = np.nan if score is None else score
        # Both of a reader's rows of a case may carry what the AI said; they must agree.
        said = NONE if ai_call is None else class_at[ai_call]
        if _contradicts(said, advice_calls[r, c]) or _contradicts(probability, advice[r, c]):
            raise TableError(f"Reader {reader} has two different AI outputs for case {case}.")
        advice_calls[r, c] = max(said, advice_calls[r, c])
        advice[r, c] = advice[r, c] if probability is None else probability
    again_calls, again_scores = np.full(shape, NONE, dtype=np.int64), np.full(shape, np.nan)
    for reader, case, _truth, modality, call, score, _probability, _ai_call in second:
        cell = modality_at[modality], reader_at[reader], case_at[case]
        again_calls[cell] = NONE if call is None else class_at[call]
        again_scores[cell] = np.nan if score is None else score
    return ReadingTable(
        *(readers, cases, modalities, classes, truth, calls, scores),
        *(again_calls, again_scores, advice_calls, advice),
        rows=len(kept) + len(second) + unused,
        unused=unused,
        score_class=score_class,
        simulated=simulated,
    )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names), key=natural_key))


def _contradicts(said: float | None, known: float) -> bool:
    """Whether two entries both say something, and not the same."""
    if said is None or NONE in {said, known} or np.isnan(known):
        return False
    return bool(said != known)


def _classes(rows: list[Row]) -> tuple[str, ...]:
    named = {row[2] for row in rows}
    named |= {name for row in rows for name in (row[4], row[7]) if name is not None}
    if len(named) > 2:  # noqa: PLR2004 - a binary reading
        listed = ", ".join(sorted(named))
        raise TableError(f"A reading chooses between two classes, but the rows name {listed}.")
    return tuple(sorted(named))
