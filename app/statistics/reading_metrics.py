"""What one set of readings (a reader's, in one modality; or the model's) is worth on its cases."""

from dataclasses import dataclass

import numpy as np

from app.statistics.arrays import Bools, Floats, Integers
from app.statistics.calibration import Calibration, calibration
from app.statistics.notes import Note
from app.statistics.proportions import Proportion, proportion
from app.statistics.roc import Auc, auc
from app.statistics.table import NONE


@dataclass(frozen=True, slots=True)
class Readings:
    """One vector of readings over the C cases of a study, turned towards the positive class."""

    truth: Bools  # (C,) True = positive
    called: Integers  # (C,) 1 positive, 0 negative, NONE not called
    scores: Floats  # (C,) higher speaks for positive, nan not scored

    @property
    def has_call(self) -> Bools:
        """Cases with a call, (C,)."""
        return self.called != NONE

    @property
    def has_score(self) -> Bools:
        """Cases with a score, (C,)."""
        return ~np.isnan(self.scores)

    @property
    def positive(self) -> Bools:
        """Cases called positive, (C,)."""
        return self.called == 1


@dataclass(frozen=True, slots=True)
class ModalityMetrics:
    """Areas (DeLong) and proportions (Wilson) of one set of readings."""

    n: int
    positives: int
    negatives: int
    auc: Auc
    auc_calls: Auc
    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion
    npv: Proportion
    accuracy: Proportion
    calibration: Calibration | None
    notes: tuple[Note, ...] = ()


def no_scores() -> Auc:
    """Return the area where nobody gave a score."""
    note = Note("no_scores", "There are calls but no scores, so only the AUC of the calls exists.")
    return Auc(None, None, None, None, 0, 0, notes=(note,))


def no_calls() -> Auc:
    """Return the area of calls where nobody made a call."""
    text = (
        "There is no call and no threshold that would turn the score into one, so sensitivity, "
        "specificity and the predictive values are undefined."
    )
    return Auc(None, None, None, None, 0, 0, notes=(Note("no_calls", text),))


def modality_metrics(readings: Readings, *, probabilities: bool = True) -> ModalityMetrics:
    """Compute all metrics; calibration only where the scores are `probabilities`."""
    called, scored, truth = readings.has_call, readings.has_score, readings.truth
    said, true = readings.positive[called], truth[called]
    tp, fn = int((said & true).sum()), int((~said & true).sum())
    fp, tn = int((said & ~true).sum()), int((~said & ~true).sum())
    read = called | scored
    return ModalityMetrics(
        n=int(read.sum()),
        positives=int((read & truth).sum()),
        negatives=int((read & ~truth).sum()),
        auc=auc(truth[scored], readings.scores[scored]) if scored.any() else no_scores(),
        auc_calls=auc(true, said.astype(np.float64)) if called.any() else no_calls(),
        sensitivity=proportion(tp, tp + fn),
        specificity=proportion(tn, tn + fp),
        ppv=proportion(tp, tp + fp),
        npv=proportion(tn, tn + fn),
        accuracy=proportion(tp + tn, tp + fn + fp + tn),
        calibration=calibration(truth[scored], readings.scores[scored]) if probabilities else None,
    )
