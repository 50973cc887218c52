"""One reader, two modalities, the same cases: what the aid changed."""

from dataclasses import dataclass, replace

import numpy as np

from app.statistics.arrays import Bools, Integers
from app.statistics.bootstrap import (
    Bootstrap,
    bootstrap_intervals,
    draw,
    paired_statistics,
)
from app.statistics.improvements import (
    BrierDifference,
    IntegratedDiscrimination,
    NetReclassification,
    on_calls,
    on_refitted,
    on_scores,
    undefined_area,
)
from app.statistics.notes import Note
from app.statistics.predictive_values import (
    PredictiveValueDifference,
    predictive_value_difference,
)
from app.statistics.proportions import ProportionDifference, proportion_difference
from app.statistics.reading_metrics import Readings, no_calls
from app.statistics.reclassification import Reclassification, reclassification_table
from app.statistics.reliance import RelianceByClass, reliance
from app.statistics.roc import AucDifference, auc_difference
from app.statistics.table import NONE


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison minus baseline on the cases read in both modalities.

    `n` cases carry a call in both modalities (`n_scored` a score in both); `missing` cases were
    read in one modality only and are left out.
    """

    n: int
    n_scored: int
    positives: int
    negatives: int
    missing: int
    auc: AucDifference
    auc_calls: AucDifference
    sensitivity: ProportionDifference
    specificity: ProportionDifference
    ppv: PredictiveValueDifference
    npv: PredictiveValueDifference
    accuracy: ProportionDifference
    brier: BrierDifference | None
    nri: NetReclassification
    idi: IntegratedDiscrimination
    reclassification: Reclassification
    reclassification_categories: Reclassification | None
    reliance: RelianceByClass | None
    bootstrap: Bootstrap | None = None
    notes: tuple[Note, ...] = ()


def compare(
    baseline: Readings,
    comparison: Readings,
    advice: Integers,
    *,
    probabilities: bool,
    cutoffs: tuple[float, ...] = (),
    labels: tuple[str, str] = ("negative", "positive"),
) -> Comparison:
    """Compare two modalities of one reader; `advice` (C,) is the model's call, 1, 0 or NONE.

    `probabilities`: whether the scores are risks in [0, 1], without which IDI and Brier score
    are undefined. `cutoffs`: categories of the score for the NRI by categories, right-open.
    """
    truth = baseline.truth
    called = baseline.has_call & comparison.has_call
    scored = baseline.has_score & comparison.has_score
    one = (baseline.has_call | baseline.has_score) ^ (comparison.has_call | comparison.has_score)
    missing = int(one.sum())
    true, before, after = truth[called], baseline.positive[called], comparison.positive[called]
    by_score = on_scores(
        truth[scored],
        baseline.scores[scored],
        comparison.scores[scored],
        probabilities=probabilities,
        cutoffs=cutoffs,
    )
    paired = called | scored
    advised = called & (advice != NONE)
    nri_calls, idi_calls = on_calls(true, before, after)
    refitted = on_refitted(true, before, after)
    notes: tuple[Note, ...] = ()
    if missing:
        text = (
            f"{missing} cases were read in one modality only; the paired comparison leaves them "
            f"out and uses {int(paired.sum())} cases."
        )
        notes = (Note("missing_pairs", text),)
    return Comparison(
        n=int(called.sum()),
        n_scored=int(scored.sum()),
        positives=int((paired & truth).sum()),
        negatives=int((paired & ~truth).sum()),
        missing=missing,
        auc=by_score.auc,
        auc_calls=_area_of_calls(true, before, after),
        sensitivity=_shares(before[true], after[true]),
        specificity=_shares(~before[~true], ~after[~true]),
        ppv=_values(true, before, after),
        npv=_values(~true, ~before, ~after),
        accuracy=_shares(before == true, after == true),
        brier=by_score.brier,
        nri=NetReclassification(
            nri_calls, by_score.nri, refitted[0], refitted[1], by_score.nri_categories
        ),
        idi=IntegratedDiscrimination(idi_calls, by_score.idi, refitted[2]),
        reclassification=reclassification_table(
            true, before.astype(np.int64), after.astype(np.int64), labels
        ),
        reclassification_categories=by_score.table,
        reliance=reliance(
            truth[advised],
            baseline.positive[advised],
            comparison.positive[advised],
            advice[advised] == 1,
        )
        if advised.any()
        else None,
        notes=notes,
    )


def bootstrapped(
    baseline: Readings, comparison: Readings, *, probabilities: bool, resamples: int, seed: int
) -> Bootstrap | None:
    """Bootstrap intervals of a comparison; None without a case of each class.

    Cases are those with a call, or a score, in both modalities; the same numbers of events and
    non-events give the same draws, so that readers of the same cases are resampled together.
    """
    called = baseline.has_call & comparison.has_call
    scored = baseline.has_score & comparison.has_score
    both = called & scored if called.any() and scored.any() else called | scored
    truth = baseline.truth[both]
    m = int(truth.sum())
    if min(m, truth.size - m) < 2:  # noqa: PLR2004 - one case has no spread
        return None
    statistics = paired_statistics(
        truth,
        scores=(baseline.scores[both], comparison.scores[both]) if scored.any() else None,
        calls=(baseline.positive[both], comparison.positive[both]) if called.any() else None,
        probabilities=probabilities,
    )
    return bootstrap_intervals(statistics, draw(m, truth.size - m, resamples, seed), seed)


def _shares(before: Bools, after: Bools) -> ProportionDifference:
    result = proportion_difference(before, after)
    # Where there is no call at all the area of calls says so, once.
    return replace(result, notes=()) if before.size == 0 else result


def _values(right: Bools, before: Bools, after: Bools) -> PredictiveValueDifference:
    result = predictive_value_difference(right, before, after)
    return replace(result, notes=()) if right.size == 0 else result


def _area_of_calls(true: Bools, before: Bools, after: Bools) -> AucDifference:
    if true.size == 0:
        return undefined_area(no_calls().notes)
    return auc_difference(true, before.astype(np.float64), after.astype(np.float64))
