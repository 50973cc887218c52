"""NRI and IDI of one reader on each input: calls, scores, categories and refitted calls."""

from dataclasses import dataclass, replace

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.logistic import refit_calls
from app.statistics.notes import Note
from app.statistics.reading_metrics import no_scores
from app.statistics.reclassification import (
    Improvement,
    Reclassification,
    categories,
    guarded,
    integrated_discrimination,
    net_reclassification,
    reclassification_table,
)
from app.statistics.roc import AucDifference, auc_difference

CALLS = "calls"
SCORES = "scores"
REFITTED = "calls refitted by logistic regression in each modality"


@dataclass(frozen=True, slots=True)
class NetReclassification:
    """The NRI on each of its inputs; they are different quantities.

    `refitted` cuts the refitted risks at 0.5, `refitted_category_free` does not cut them;
    `categories` exists where the analysis was given cutoffs.
    """

    calls: Improvement | None
    category_free: Improvement | None
    refitted: Improvement | None
    refitted_category_free: Improvement | None
    categories: Improvement | None


@dataclass(frozen=True, slots=True)
class IntegratedDiscrimination:
    """The IDI on each of its inputs."""

    calls: Improvement | None
    scores: Improvement | None
    refitted: Improvement | None


@dataclass(frozen=True, slots=True)
class BrierDifference:
    """Mean squared error of the score as a probability; a negative difference is better."""

    baseline: float
    comparison: float
    difference: float


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """What a comparison says about the scores."""

    auc: AucDifference
    brier: BrierDifference | None
    nri: Improvement | None
    nri_categories: Improvement | None
    idi: Improvement | None
    table: Reclassification | None


def undefined_area(notes: tuple[Note, ...]) -> AucDifference:
    """Return the difference of areas that do not exist, with the reason."""
    return AucDifference(None, None, None, None, None, None, 0, 0, notes=notes)


def on_calls(
    true: Bools, before: Bools, after: Bools
) -> tuple[Improvement | None, Improvement | None]:
    """NRI and IDI of calls (N,); None without a case."""
    if true.size == 0:
        return None, None
    zero, one = before.astype(np.float64), after.astype(np.float64)
    return (
        guarded(net_reclassification(true, zero, one, source=CALLS)),
        guarded(integrated_discrimination(true, zero, one, source=CALLS)),
    )


def on_refitted(
    true: Bools, before: Bools, after: Bools
) -> tuple[Improvement | None, Improvement | None, Improvement | None]:
    """NRI cut at 0.5, category-free NRI and IDI of the calls refitted in each modality."""
    fits = (refit_calls(true, before), refit_calls(true, after))
    zero, one = fits[0].risks, fits[1].risks
    if true.size == 0 or zero is None or one is None:
        return None, None, None
    half = (0.5,)
    cut = tuple(categories(risks, half).astype(np.float64) for risks in (zero, one))
    found = dict.fromkeys(note for fit in fits for note in fit.notes)

    def noted(result: Improvement) -> Improvement:
        return replace(guarded(result), notes=(*guarded(result).notes, *found))

    return (
        noted(net_reclassification(true, *cut, source=f"{REFITTED}, cut at 0.5")),
        noted(net_reclassification(true, zero, one, source=f"{REFITTED}, category-free")),
        noted(integrated_discrimination(true, zero, one, source=REFITTED)),
    )


def on_scores(
    true: Bools, zero: Floats, one: Floats, *, probabilities: bool, cutoffs: tuple[float, ...]
) -> ScoreComparison:
    """Compare scores (N,): areas, Brier scores, NRI and IDI."""
    if true.size == 0:
        return ScoreComparison(undefined_area(no_scores().notes), None, None, None, None, None)
    brier = idi = None
    if probabilities:
        errors = [float(((scores - true) ** 2).mean()) for scores in (zero, one)]
        brier = BrierDifference(errors[0], errors[1], errors[1] - errors[0])
        idi = guarded(integrated_discrimination(true, zero, one, source=SCORES))
    by_category = table = None
    if cutoffs:
        low, high = categories(zero, cutoffs), categories(one, cutoffs)
        source = "score categories cut at " + ", ".join(f"{cut:g}" for cut in cutoffs)
        by_category = guarded(
            net_reclassification(
                true, low.astype(np.float64), high.astype(np.float64), source=source
            )
        )
        edges = ("", *(f"{cut:g}" for cut in cutoffs), "")
        names = tuple(f"[{edges[i]}, {edges[i + 1]})" for i in range(len(cutoffs) + 1))
        table = reclassification_table(true, low, high, names)
    return ScoreComparison(
        auc_difference(true, zero, one),
        brier,
        guarded(net_reclassification(true, zero, one, source=f"{SCORES}, category-free")),
        by_category,
        idi,
        table,
    )
