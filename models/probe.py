"""Measures on cached image features: area under the curve, linear probe, temperature."""

# scipy ships no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy import optimize

Vector = npt.NDArray[np.floating]
Truth = npt.NDArray[np.integer]  # 1 for BCC, 0 for SK


@dataclass(frozen=True)
class Area:
    """Area under the ROC curve with its 95% interval."""

    estimate: float
    low: float
    high: float
    n: int


def area_under_curve(scores: Vector, truth: Truth) -> float:
    """Probability that a positive scores above a negative, ties counting half.

    Mann-Whitney form (Hanley & McNeil 1982). scores (N,), truth (N,).
    """
    return float(_placements(scores[truth == 1], scores[truth == 0]).mean())


def _placements(scores: Vector, against: Vector) -> npt.NDArray[np.float64]:
    """Share of `against` below each score, ties counting half. (N,)."""
    ordered = np.sort(against)
    below = np.searchsorted(ordered, scores, side="left")
    not_above = np.searchsorted(ordered, scores, side="right")
    return (below + not_above) / 2 / len(ordered)


def area_with_interval(scores: Vector, truth: Truth) -> Area:
    """Area with DeLong's variance (DeLong et al. 1988), interval on the logit scale.

    For generated images only: they are independent, which the readings of a study are not.
    """
    positive, negative = scores[truth == 1], scores[truth == 0]
    of_positive = _placements(positive, negative)
    of_negative = 1 - _placements(negative, positive)
    area = float(of_positive.mean())
    variance = of_positive.var(ddof=1) / len(positive) + of_negative.var(ddof=1) / len(negative)
    centre = np.log(area / (1 - area))
    half = 1.959964 * np.sqrt(variance) / (area * (1 - area))
    low, high = 1 / (1 + np.exp(-(centre - half))), 1 / (1 + np.exp(-(centre + half)))
    return Area(area, float(low), float(high), len(truth))


def _log_loss(margins: npt.NDArray[np.float64], signs: npt.NDArray[np.float64]) -> float:
    return float(np.logaddexp(0, -signs * margins).mean())


def linear_probe(
    features: Vector, truth: Truth, *, penalty: float = 1e-4
) -> Callable[[Vector], npt.NDArray[np.float64]]:
    """Fit logistic regression on unit features (N, D); returns a scoring function.

    Minimises mean log loss + penalty * |w|^2 / 2 with L-BFGS; features are standardised.
    """
    mean, std = features.mean(axis=0), features.std(axis=0) + 1e-8
    inputs = ((features - mean) / std).astype(np.float64)  # (N, D)
    signs = np.where(truth == 1, 1.0, -1.0)

    def loss_and_slope(
        weights: npt.NDArray[np.float64],
    ) -> tuple[float, npt.NDArray[np.float64]]:
        margins = inputs @ weights[:-1] + weights[-1]  # (N,)
        pull = -signs / (1 + np.exp(np.clip(signs * margins, -500, 500))) / len(signs)
        slope = np.append(inputs.T @ pull + penalty * weights[:-1], pull.sum())
        return _log_loss(margins, signs) + penalty / 2 * float(weights[:-1] @ weights[:-1]), slope

    start = np.zeros(features.shape[1] + 1)
    fit: Any = optimize.minimize(loss_and_slope, start, jac=True, method="L-BFGS-B")
    weights = cast("npt.NDArray[np.float64]", fit.x)
    return lambda unseen: ((unseen - mean) / std) @ weights[:-1] + weights[-1]


def calibrated_scale(similarity_margins: Vector, truth: Truth) -> float:
    """Scale of the margins that minimises the log loss (temperature, Guo et al. 2017).

    One positive number: order, and so every area under the curve, stays as it was.
    """
    signs = np.where(truth == 1, 1.0, -1.0)

    def loss(log_scale: float) -> float:
        return _log_loss(np.exp(log_scale) * similarity_margins, signs)

    fit: Any = optimize.minimize_scalar(loss, bounds=(-3.0, 7.0), method="bounded")
    return float(np.exp(fit.x))
