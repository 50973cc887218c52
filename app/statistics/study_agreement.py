"""Agreement in a study: between the readers, with the model, and of each reader with himself.

References
----------
.. [1] Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of
   clinical measurement. Lancet 1986;327:307-310.
.. [2] Bland JM, Altman DG. Measurement error. BMJ 1996;313:744 (within-subject standard deviation).
"""

from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np

from app.statistics.agreement import Agreement, Coefficient, agreement, gwet_ac2
from app.statistics.arrays import Bools, Floats
from app.statistics.notes import Note
from app.statistics.prepare import Prepared
from app.statistics.table import NONE
from app.statistics.tails import Z95

MOST_LISTED_IN_PAIRS = 30
MOST_CATEGORIES = 20
"""Scores of more different values are no ordinal ratings, and have no AC2."""

LARGEST = 1e150
"""Larger scores cannot be squared."""


@dataclass(frozen=True, slots=True)
class ScoreAgreement:
    """Agreement of all readers on the ordinal scores of `n` cases.

    `categories` are the different values that the scores of the whole study take.
    """

    n: int
    categories: int
    ac2: Coefficient


@dataclass(frozen=True, slots=True)
class RepeatedScores:
    """Scores of `n` cases that one reader scored twice in one modality.

    `difference` is the mean of second minus first score, with the limits of agreement
    difference +- 1.96 SD [1]_; `within_sd` the standard deviation of one score around the reader's
    own mean of the case, sqrt(sum of d^2 / 2n) [2]_. `ac2` as between readers.
    """

    n: int
    difference: float
    low: float | None
    high: float | None
    within_sd: float
    ac2: Coefficient | None
    method: str = "Bland and Altman 1986, 1996"


@dataclass(frozen=True, slots=True)
class RepeatAgreement:
    """One reader's first and second readings of the same cases in the same modality."""

    calls: Agreement | None
    scores: RepeatedScores | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class ModalityAgreement:
    """Agreement in one modality.

    Of all readers on calls and on scores, of pairs of readers (to 30 readers), of each with the
    model, and `within`: of each reader who read cases twice with himself or herself.
    """

    readers: Agreement | None
    scores: ScoreAgreement | None
    pairs: tuple[Agreement, ...]
    model: dict[str, Agreement]
    within: dict[str, RepeatAgreement]
    notes: tuple[Note, ...] = ()


def study_agreement(study: Prepared) -> dict[str, ModalityAgreement]:
    """Return the agreement of each modality."""
    scale = _scale(study)
    return {name: _modality(study, m, scale) for m, name in enumerate(study.modalities)}


def _scale(study: Prepared) -> Floats:
    """Return the different values of all scores, rising."""
    values = np.concatenate((study.scores.ravel(), study.again_scores.ravel()))
    return np.unique(values[~np.isnan(values)])


def _ordinal(scale: Floats) -> bool:
    return 2 <= scale.size <= MOST_CATEGORIES  # noqa: PLR2004 - one value cannot disagree


def _modality(study: Prepared, m: int, scale: Floats) -> ModalityAgreement:
    called, known = study.called[m] == 1, study.called[m] != NONE
    everyone = known.all(axis=0)
    whole = None
    if len(study.readers) > 1 and everyone.any():
        whole = agreement(study.readers, called[:, everyone])
    scores, notes = _scores(study.scores[m], scale)
    return ModalityAgreement(
        whole,
        scores,
        tuple(_pairs(study.readers, called, known)),
        _with_model(study, called, known),
        _within(study, m, scale),
        notes,
    )


def _scores(scores: Floats, scale: Floats) -> tuple[ScoreAgreement | None, tuple[Note, ...]]:
    """Agreement of scores (R, C) on the cases that every reader scored."""
    everyone = ~np.isnan(scores).any(axis=0)
    if scores.shape[0] == 1 or not everyone.any():
        return None, ()
    if not _ordinal(scale):
        text = (
            f"The scores take {scale.size} different values; agreement on scores (AC2) is for "
            f"ordinal ratings of 2 to {MOST_CATEGORIES} values."
        )
        return None, (Note("no_ordinal_scale", text),)
    ac2 = gwet_ac2(scores[:, everyone], scale)
    return ScoreAgreement(int(everyone.sum()), scale.size, ac2), ()


def _pairs(readers: tuple[str, ...], called: Bools, known: Bools) -> list[Agreement]:
    # With more readers the pairs would fill pages, and Fleiss's kappa says it in one number.
    listed = len(readers) if len(readers) <= MOST_LISTED_IN_PAIRS else 0
    found: list[Agreement] = []
    for i, j in combinations(range(listed), 2):
        both = known[i] & known[j]
        if both.any():
            found.append(agreement((readers[i], readers[j]), called[[i, j]][:, both]))
    return found


def _with_model(study: Prepared, called: Bools, known: Bools) -> dict[str, Agreement]:
    found: dict[str, Agreement] = {}
    model, model_known = study.model_called == 1, study.model_called != NONE
    for i, reader in enumerate(study.readers):
        both = known[i] & model_known
        if both.any():
            found[reader] = agreement((reader, "model"), np.stack((called[i], model))[:, both])
    return found


def _within(study: Prepared, m: int, scale: Floats) -> dict[str, RepeatAgreement]:
    found: dict[str, RepeatAgreement] = {}
    for r, reader in enumerate(study.readers):
        calls = np.stack((study.called[m, r], study.again_called[m, r]))
        scores = np.stack((study.scores[m, r], study.again_scores[m, r]))
        called, scored = (calls != NONE).all(axis=0), ~np.isnan(scores).any(axis=0)
        if not (called.any() or scored.any()):
            continue
        occasions = (f"{reader}, first", f"{reader}, second")
        found[reader] = RepeatAgreement(
            agreement(occasions, calls[:, called] == 1) if called.any() else None,
            *_repeated(scores[:, scored], scale),
        )
    return found


def _repeated(scores: Floats, scale: Floats) -> tuple[RepeatedScores | None, tuple[Note, ...]]:
    """Compare scores (2, N), first and second reading."""
    if not scores.size:
        return None, ()
    if np.abs(scores).max() > LARGEST:
        note = Note("huge_scores", f"Scores beyond {LARGEST:g} cannot be squared: not compared.")
        return None, (note,)
    change = scores[1] - scores[0]
    mean = float(change.mean())
    half = Z95 * float(change.std(ddof=1)) if change.size > 1 else None
    found = RepeatedScores(
        change.size,
        mean,
        None if half is None else mean - half,
        None if half is None else mean + half,
        sqrt(float((change**2).mean()) / 2),
        gwet_ac2(scores, scale) if _ordinal(scale) else None,
    )
    return found, ()
