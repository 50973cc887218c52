"""What a model is worth on one cohort of images, with the patient as the unit of every interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.clustered import (
    ClusteredAuc,
    ClusteredAucDifference,
    Counts,
    clustered_auc,
    clustered_auc_difference,
    counts,
)
from app.statistics.clustered_calibration import ClusteredCalibration, clustered_calibration
from app.statistics.clustered_means import ClusteredProportion, clustered_proportion
from app.statistics.logistic import expit
from app.statistics.roc_curve import roc_curve


@dataclass(frozen=True, slots=True)
class RocPoint:
    """Sensitivity and specificity of calling positive from `threshold` on; None: no threshold."""

    threshold: float | None
    sensitivity: float
    specificity: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to score the same features: its area, and that of the model minus it."""

    auc: ClusteredAuc
    model_minus_this: ClusteredAucDifference


@dataclass(frozen=True, slots=True)
class CohortAccuracy:
    """The paper's Table 1 for one cohort, with calibration and other ways to score beside it.

    PPV and NPV belong to the `prevalence` of these images and to no other.
    """

    n: Counts
    prevalence: ClusteredProportion
    auc: ClusteredAuc
    sensitivity: ClusteredProportion
    specificity: ClusteredProportion
    ppv: ClusteredProportion
    npv: ClusteredProportion
    accuracy: ClusteredProportion
    calibration: ClusteredCalibration
    alternatives: Mapping[str, Alternative | None]
    roc: tuple[RocPoint, ...]


def cohort_accuracy(
    margins: Floats,
    truth: Bools,
    cluster: Sequence[str],
    *,
    threshold: float,
    alternatives: Mapping[str, Floats | None],
) -> CohortAccuracy:
    """Accuracy of log odds (N,) for truth (N,) True = positive, patients `cluster` (N).

    An image is called positive from the probability `threshold` on. Areas are those of the log
    odds: a sure model's probabilities are 1 to the last digit, and would be ties. `alternatives`
    are other scores (N,) of the same images, None where the model has none.
    """
    probabilities = expit(margins)
    called = probabilities >= threshold
    everything = np.ones(truth.size, dtype=bool)
    return CohortAccuracy(
        n=counts(truth, cluster),
        prevalence=clustered_proportion(truth, everything, cluster),
        auc=clustered_auc(margins, truth, cluster),
        sensitivity=clustered_proportion(called, truth, cluster),
        specificity=clustered_proportion(~called, ~truth, cluster),
        ppv=clustered_proportion(truth, called, cluster),
        npv=clustered_proportion(~truth, ~called, cluster),
        accuracy=clustered_proportion(called == truth, everything, cluster),
        calibration=clustered_calibration(probabilities, truth, cluster),
        alternatives={
            name: None
            if scores is None
            else Alternative(
                clustered_auc(scores, truth, cluster),
                clustered_auc_difference(scores, margins, truth, cluster),
            )
            for name, scores in alternatives.items()
        },
        roc=_points(margins, truth),
    )


def _points(margins: Floats, truth: Bools) -> tuple[RocPoint, ...]:
    if not truth.any() or truth.all():
        return ()
    curve = roc_curve(truth, margins)
    return tuple(
        RocPoint(float(chance) if np.isfinite(level) else None, float(right), float(negative))
        for level, chance, right, negative in zip(
            curve.thresholds,
            expit(curve.thresholds),
            curve.sensitivity,
            curve.specificity,
            strict=True,
        )
    )
