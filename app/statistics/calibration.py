"""Whether scores, taken as probabilities, come true.

References
----------
.. [1] Van Calster B, McLernon DJ, van Smeden M, Wynants L, Steyerberg EW. Calibration: the
   Achilles heel of predictive analytics. BMC Medicine 2019;17:230.
.. [2] Brier GW. Verification of forecasts expressed in terms of probability. Monthly Weather
   Review 1950;78:1-3.
.. [3] Spiegelhalter DJ. Probabilistic prediction in patient management and clinical trials.
   Statistics in Medicine 1986;5:421-433.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.logistic import logistic_intercept, refit_scores
from app.statistics.notes import Note
from app.statistics.tails import two_sided_normal


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of probabilities on `n` cases.

    `in_the_large` (0 is perfect): log odds by which the probabilities are too low. `slope` (1 is
    perfect; below 1: too extreme). `observed_expected` (1 is perfect). Brier score [2]_; z and p
    of Spiegelhalter's test [3]_ that it is what calibrated probabilities would give.
    """

    n: int
    in_the_large: float | None
    slope: float | None
    observed_expected: float | None
    brier: float
    spiegelhalter_z: float | None
    spiegelhalter_p: float | None
    method: str = "Van Calster 2019; Spiegelhalter 1986"
    notes: tuple[Note, ...] = ()


def calibration(truth: Bools, probabilities: Floats) -> Calibration | None:
    """Calibration of probabilities (N,) for truth (N,); None without a case.

    Slope and calibration in the large need the log odds, which probabilities of exactly 0 or 1
    do not have: they are None then, and a note says so.
    """
    if truth.size == 0:
        return None
    y = truth.astype(np.float64)
    notes: list[Note] = []
    large = slope = None
    if ((probabilities <= 0) | (probabilities >= 1)).any():
        text = (
            "Some probabilities are exactly 0 or 1 and have no log odds, so calibration in the "
            "large and slope are undefined."
        )
        notes.append(Note("certain_probabilities", text))
    else:
        odds = np.log(probabilities / (1 - probabilities))
        fit = refit_scores(truth, odds)
        notes.extend(fit.notes)
        slope = fit.slope if np.ptp(odds) > 0 else None
        large = logistic_intercept(truth, odds)
    expected = float(probabilities.sum())
    # [3]: sum of (y - p)(1 - 2p) over its standard deviation under calibration.
    weight = 1 - 2 * probabilities
    variance = float((weight**2 * probabilities * (1 - probabilities)).sum())
    z = float(((y - probabilities) * weight).sum()) / sqrt(variance) if variance > 0 else None
    return Calibration(
        truth.size,
        large,
        slope,
        float(y.sum()) / expected if expected > 0 else None,
        float(((y - probabilities) ** 2).mean()),
        z,
        two_sided_normal(z) if z is not None else None,
        notes=tuple(notes),
    )
