"""Whether a model's probabilities come true, with intervals by patient.

References
----------
.. [1] Van Calster B, McLernon DJ, van Smeden M, Wynants L, Steyerberg EW. Calibration: the
   Achilles heel of predictive analytics. BMC Medicine 2019;17:230.
.. [2] Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika
   1986;73:13-22 (the variance by cluster, under independence as the working correlation).
.. [3] Cox DR. Two further applications of a model for binary regression. Biometrika 1958;45:562-565
   (intercept and slope of the recalibration).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from app.statistics.arrays import Bools, Floats, Integers
from app.statistics.clustered import cluster_numbers
from app.statistics.clustered_means import (
    ClusteredMean,
    ClusteredProportion,
    clustered_mean,
    clustered_proportion,
)
from app.statistics.logistic import logistic_intercept, refit_scores
from app.statistics.notes import Note
from app.statistics.tails import Z95

_FEWEST = 2
MOST_GROUPS = 10
_IMAGES_PER_GROUP = 10


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient of the recalibration with its standard error and 95% interval by patient."""

    value: float | None
    se: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class CalibrationGroup:
    """Images with neighbouring probabilities: what was promised on average, and what came true."""

    lowest: float
    highest: float
    predicted: float
    observed: ClusteredProportion


@dataclass(frozen=True, slots=True)
class ClusteredCalibration:
    """Calibration of probabilities of N images.

    `in_the_large` (0 is perfect): log odds by which the probabilities are too low; `intercept` and
    `slope` (0 and 1 are perfect; a slope below 1: too extreme) of the regression of the truth on
    the log odds [3]_; Brier score; the curve in groups of equal size.
    """

    images: int
    patients: int
    in_the_large: Coefficient
    intercept: Coefficient
    slope: Coefficient
    observed_expected: float | None
    brier: ClusteredMean
    curve: tuple[CalibrationGroup, ...]
    method: str = "Van Calster 2019; variance by patient (Liang and Zeger 1986)"
    notes: tuple[Note, ...] = ()


def clustered_calibration(
    probabilities: Floats, truth: Bools, cluster: Sequence[str]
) -> ClusteredCalibration:
    """Calibration of probabilities (N,), truth (N,) True = positive, of patients `cluster` (N).

    Intercepts and slope are None where they have no finite estimate; the notes say why.
    """
    number = cluster_numbers(cluster)
    patients = np.unique(number).size
    notes: list[Note] = []
    large = intercept = slope = Coefficient(None)
    if truth.size and ((probabilities <= 0) | (probabilities >= 1)).any():
        text = (
            "Some probabilities are exactly 0 or 1 and have no log odds, so intercept and slope "
            "of the calibration are undefined."
        )
        notes.append(Note("certain_probabilities", text))
    elif truth.size:
        odds = np.log(probabilities / (1 - probabilities))
        fit = refit_scores(truth, odds)
        notes.extend(fit.notes)
        if fit.intercept is not None and fit.slope is not None:
            design = np.column_stack((np.ones(odds.size), odds))  # (N, 2)
            values = np.array([fit.intercept, fit.slope])
            intercept, slope = _robust(design, values, design @ values, truth, number)
        shift = logistic_intercept(truth, odds)
        if shift is not None:
            design = np.ones((odds.size, 1))
            (large,) = _robust(design, np.array([shift]), odds + shift, truth, number)
    expected = float(probabilities.sum())
    return ClusteredCalibration(
        *(truth.size, patients, large, intercept, slope),
        int(truth.sum()) / expected if expected > 0 else None,
        clustered_mean((probabilities - truth) ** 2, cluster),
        calibration_curve(probabilities, truth, cluster),
        notes=tuple(notes),
    )


def calibration_curve(
    probabilities: Floats, truth: Bools, cluster: Sequence[str]
) -> tuple[CalibrationGroup, ...]:
    """Group images by rising probability: at most ten groups of equal size, of ten or more."""
    groups = min(MOST_GROUPS, truth.size // _IMAGES_PER_GROUP)
    if groups == 0:
        return ()
    found: list[CalibrationGroup] = []
    order = np.argsort(probabilities, kind="stable")
    for chosen in np.array_split(order, groups):
        among = np.zeros(truth.size, dtype=bool)
        among[chosen] = True
        inside = probabilities[chosen]
        found.append(
            CalibrationGroup(
                *(float(inside.min()), float(inside.max()), float(inside.mean())),
                clustered_proportion(truth, among, cluster),
            )
        )
    return tuple(found)


def _robust(
    design: Floats, values: Floats, linear: Floats, truth: Bools, number: Integers
) -> tuple[Coefficient, ...]:
    """Give coefficients (K,) of design (N, K) their errors: I/(I - 1) A^-1 sum u u' A^-1 [2]_."""
    patients = np.unique(number).size
    if patients < _FEWEST:
        return tuple(Coefficient(float(value)) for value in values)
    risks = 1 / (1 + np.exp(-linear))
    bread = np.linalg.inv(design.T @ (design * (risks * (1 - risks))[:, None]))
    scores = design * (truth - risks)[:, None]  # (N, K)
    sums = np.stack([np.bincount(number, column) for column in scores.T])  # (K, I)
    variance = patients / (patients - 1) * bread @ (sums @ sums.T) @ bread
    errors = [sqrt(float(one)) for one in np.diag(variance)]
    return tuple(
        Coefficient(float(value), error, float(value) - Z95 * error, float(value) + Z95 * error)
        for value, error in zip(values, errors, strict=True)
    )
