"""Logistic regression of the truth on one reading: the "refitted" risks of NRI and IDI.

References
----------
.. [1] McCullagh P, Nelder JA. Generalized Linear Models. 2nd ed. Chapman and Hall 1989,
   ch. 2 (iteratively reweighted least squares).
.. [2] Albert A, Anderson JA. On the existence of maximum likelihood estimates in logistic
   regression models. Biometrika 1984;71:1-10.
"""

from dataclasses import dataclass

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.notes import Note

_ITERATIONS = 25
_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Refit:
    """Fitted risks (N,) of the positive class, None where no finite fit exists."""

    risks: Floats | None
    intercept: float | None
    slope: float | None
    notes: tuple[Note, ...] = ()


def refit_calls(truth: Bools, calls: Bools) -> Refit:
    """Logistic regression of truth (N,) on a binary call (N,).

    The model is saturated, so each fitted risk is the share of positives among equal calls,
    exactly; under separation this is the limit of the fit, and a note says so.
    """
    risks = np.full(truth.size, float(truth.mean()) if truth.size else 0.0)
    shares: list[float] = []
    for chosen in (~calls, calls):
        if chosen.any():
            share = int((truth & chosen).sum()) / int(chosen.sum())
            risks[chosen] = share
            shares.append(share)
    notes: tuple[Note, ...] = ()
    if any(share in {0.0, 1.0} for share in shares):
        text = (
            "One kind of call is always right or always wrong here, so the logistic regression "
            "has no finite estimate; the refitted risks are its limit, the observed shares."
        )
        notes = (Note("separation", text),)
    return Refit(risks, None, None, notes)


def refit_scores(truth: Bools, scores: Floats) -> Refit:
    """Logistic regression of truth (N,) on a score (N,), by reweighted least squares [1]_.

    Where a threshold separates the classes the estimate does not exist [2]_: risks is None and a
    note says so. A constant score gives the share of positives for every case. Start and
    stopping rule are those of R's glm().
    """
    m = int(truth.sum())
    if min(m, truth.size - m) == 0:
        note = Note("too_few_cases", "A logistic regression needs cases of both classes.")
        return Refit(None, None, None, (note,))
    positive, negative = scores[truth], scores[~truth]
    if np.ptp(scores) == 0:
        return Refit(np.full(truth.size, m / truth.size), None, 0.0)
    if positive.min() >= negative.max() or negative.min() >= positive.max():
        text = "The score separates the classes, so the logistic regression has no finite estimate."
        return Refit(None, None, None, (Note("separation", text),))
    # Centring and scaling keep the normal equations well conditioned on any rating scale.
    centre, scale = float(scores.mean()), float(scores.std())
    design = np.column_stack((np.ones(scores.size), (scores - centre) / scale))  # (N, 2)
    target = truth.astype(np.float64)
    risks = (target + 0.5) / 2  # the start of R's binomial family
    linear = np.log(risks / (1 - risks))
    deviance = _deviance(target, risks)
    for _ in range(_ITERATIONS):
        weights = risks * (1 - risks)
        working = linear + (target - risks) / weights
        information = design.T @ (design * weights[:, None])
        coefficients = np.linalg.solve(information, design.T @ (weights * working))
        linear = design @ coefficients
        risks = expit(linear)
        previous, deviance = deviance, _deviance(target, risks)
        # R's rule, so that the risks are those of glm() to the last digit and not to the eighth.
        if abs(deviance - previous) / (abs(deviance) + 0.1) < _TOLERANCE:
            slope = float(coefficients[1]) / scale
            return Refit(risks, float(coefficients[0]) - slope * centre, slope)
    text = "The logistic regression did not converge."
    return Refit(None, None, None, (Note("not_converged", text),))


def logistic_intercept(truth: Bools, offset: Floats) -> float | None:
    """Intercept of a logistic regression of truth (N,) with a fixed offset (N,), by Newton's rule.

    None where only one class occurs, for then no finite intercept exists.
    """
    if truth.all() or not truth.any():
        return None
    intercept = 0.0
    for _ in range(100):
        risks = expit(offset + intercept)
        step = float((truth - risks).sum() / (risks * (1 - risks)).sum())
        # Bounded steps: far from the solution Newton would overshoot.
        intercept += max(-2.0, min(2.0, step))
        if abs(step) < 1e-12:  # noqa: PLR2004 - rounding
            return intercept
    return None


def _deviance(target: Floats, risks: Floats) -> float:
    return float(-2 * np.log(np.where(target == 1, risks, 1 - risks)).sum())


def expit(linear: Floats) -> Floats:
    """Give the probabilities of log odds (N,)."""
    # exp of a negative number only, so that none overflows.
    small = np.exp(-np.abs(linear))
    return np.where(linear >= 0, 1 / (1 + small), small / (1 + small))
