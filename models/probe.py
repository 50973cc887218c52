"""Measures on cached image features: area under the curve, linear probe, temperature."""

# scipy ships no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
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


def log_loss(margins: Vector, truth: Truth) -> float:
    """Mean negative log likelihood of margins in logits (N,)."""
    signs = np.where(truth == 1, 1.0, -1.0)
    return float(np.logaddexp(0, -signs * margins).mean())


@dataclass(frozen=True)
class Probe:
    """A linear classifier of unit image features: margin = features @ weight + bias."""

    weight: npt.NDArray[np.float32]  # (D,), positive speaks for BCC
    bias: float
    penalty: float

    def __call__(self, features: Vector) -> npt.NDArray[np.float64]:
        """Margins in logits. (N, D) to (N,)."""
        return features.astype(np.float64) @ self.weight + self.bias


def linear_probe(features: Vector, truth: Truth, *, penalty: float = 1e-4) -> Probe:
    """Fit logistic regression on unit features (N, D).

    Minimises mean log loss + penalty * |w|^2 / 2 with L-BFGS on standardised features; the
    standardisation is folded into the weights.
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
        return log_loss(margins, truth) + penalty / 2 * float(weights[:-1] @ weights[:-1]), slope

    start = np.zeros(features.shape[1] + 1)
    fit: Any = optimize.minimize(loss_and_slope, start, jac=True, method="L-BFGS-B")
    weights = cast("npt.NDArray[np.float64]", fit.x)
    folded = (weights[:-1] / std).astype(np.float32)
    return Probe(folded, float(weights[-1] - folded.astype(np.float64) @ mean), penalty)


def chosen_probe(
    training: tuple[Vector, Truth], validation: tuple[Vector, Truth], penalties: tuple[float, ...]
) -> Probe:
    """Fit with each penalty; return the one with the least log loss on the validation part."""
    probes = [linear_probe(*training, penalty=penalty) for penalty in penalties]
    features, truth = validation
    return min(probes, key=lambda probe: log_loss(probe(features), truth))


def calibrated_scale(similarity_margins: Vector, truth: Truth) -> float:
    """Scale of the margins that minimises the log loss (temperature, Guo et al. 2017).

    One positive number: order, and so every area under the curve, stays as it was.
    """

    def loss(log_scale: float) -> float:
        return log_loss(np.exp(log_scale) * similarity_margins, truth)

    fit: Any = optimize.minimize_scalar(loss, bounds=(-3.0, 7.0), method="bounded")
    return float(np.exp(fit.x))
