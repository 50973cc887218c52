"""Paired comparison of positive and negative predictive values.

Predictive values of two readings share cases but not denominators, so McNemar does not apply.

References
----------
.. [1] Leisenring W, Alonzo T, Pepe MS. Comparisons of predictive values of binary medical
   diagnostic tests for paired designs. Biometrics 2000;56:345-351.
.. [2] Kosinski AS. A weighted generalized score statistic for comparison of predictive values of
   diagnostic tests. Statistics in Medicine 2013;32:964-977.
.. [3] Moskowitz CS, Pepe MS. Comparing the predictive values of diagnostic tests: sample size and
   analysis for paired study designs. Clinical Trials 2006;3:272-279.
"""

from dataclasses import dataclass
from math import sqrt

from app.statistics.arrays import Bools
from app.statistics.notes import Note
from app.statistics.tails import Z95, chi2_survival

METHOD = "weighted generalised score (Kosinski 2013); Wald interval"


@dataclass(frozen=True, slots=True)
class PredictiveValueDifference:
    """Comparison minus baseline of two predictive values, with a 95% interval."""

    difference: float | None
    chi2: float | None
    p: float | None
    low: float | None
    high: float | None
    n_baseline: int
    n_comparison: int
    method: str = METHOD
    notes: tuple[Note, ...] = ()


def predictive_value_difference(
    right: Bools, baseline: Bools, comparison: Bools
) -> PredictiveValueDifference:
    """Compare P(right | called) between two readings of the same N cases.

    All arrays (N,). For the PPV `right` is the truth and a call is a positive call; for the NPV
    `right` is "truly negative" and a call is a negative call.
    """
    n0, n1 = int(baseline.sum()), int(comparison.sum())
    if min(n0, n1) == 0:
        which = "baseline" if n0 == 0 else "comparison"
        note = Note("no_calls", f"The {which} has no such call, so the value is undefined.")
        return PredictiveValueDifference(None, None, None, None, None, n0, n1, notes=(note,))
    hits0, hits1 = int((right & baseline).sum()), int((right & comparison).sum())
    both = baseline & comparison
    both_right, both_wrong = int((both & right).sum()), int((both & ~right).sum())
    p0, p1 = hits0 / n0, hits1 / n1
    difference = p1 - p0
    pooled = (hits0 + hits1) / (n0 + n1)
    # [2]: the covariance of the two values under the null enters through the shared calls.
    shared = (both_right * (1 - pooled) ** 2 + both_wrong * pooled**2) / (n0 + n1)
    null_variance = (pooled * (1 - pooled) - 2 * shared) * (1 / n0 + 1 / n1)
    # Linearisation [3]: variance of p1 - p0 without assuming the null.
    covariance = (both_right * (1 - p0) * (1 - p1) + both_wrong * p0 * p1) / (n0 * n1)
    se = sqrt(max(0.0, p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1 - 2 * covariance))
    low, high = max(-1.0, difference - Z95 * se), min(1.0, difference + Z95 * se)
    if not (baseline ^ comparison).any():
        return PredictiveValueDifference(0.0, 0.0, 1.0, 0.0, 0.0, n0, n1)
    # Pooled value 0 or 1: both values are the same constant, and the score is 0/0.
    if pooled in {0.0, 1.0} or null_variance <= 0:
        note = Note("zero_variance", "The two values have no variance, so no test can be made.")
        return PredictiveValueDifference(difference, None, None, None, None, n0, n1, notes=(note,))
    chi2 = difference**2 / null_variance
    return PredictiveValueDifference(difference, chi2, chi2_survival(chi2, 1), low, high, n0, n1)
