"""The points of an empirical ROC curve."""

from dataclasses import dataclass

import numpy as np

from app.statistics.arrays import Bools, Floats


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Sensitivity and specificity of the rule "score >= threshold", thresholds rising.

    The first threshold is -inf (every case called positive), the last +inf (none).
    """

    thresholds: Floats  # (K,)
    sensitivity: Floats  # (K,)
    specificity: Floats  # (K,)


@dataclass(frozen=True, slots=True)
class YoudenPoint:
    """The threshold with the largest sensitivity + specificity; chosen on these very data."""

    threshold: float
    sensitivity: float
    specificity: float


def roc_curve(truth: Bools, scores: Floats) -> RocCurve:
    """Empirical curve of truth (N,) and scores (N,); ValueError when a class has no case.

    Inner thresholds lie half-way between neighbouring scores, as in pROC.
    """
    positive, negative = np.sort(scores[truth]), np.sort(scores[~truth])
    if min(positive.size, negative.size) == 0:
        raise ValueError("An ROC curve needs cases of both classes.")
    levels = np.unique(scores)
    thresholds = np.concatenate(([-np.inf], levels[1:] / 2 + levels[:-1] / 2, [np.inf]))
    return RocCurve(
        thresholds,
        1 - positive.searchsorted(thresholds, "left") / positive.size,
        negative.searchsorted(thresholds, "left") / negative.size,
    )


def youden_point(curve: RocCurve) -> YoudenPoint:
    """Return the point of largest Youden index (ties: the lowest threshold)."""
    best = int(np.argmax(curve.sensitivity + curve.specificity))
    return YoudenPoint(
        float(curve.thresholds[best]),
        float(curve.sensitivity[best]),
        float(curve.specificity[best]),
    )
