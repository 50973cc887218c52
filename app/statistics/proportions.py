"""Proportions (Wilson) and their paired comparison (McNemar's test, Tango's interval).

References
----------
.. [1] Wilson EB. Probable inference, the law of succession, and statistical inference. Journal of
   the American Statistical Association 1927;22:209-212.
.. [2] McNemar Q. Note on the sampling error of the difference between correlated proportions or
   percentages. Psychometrika 1947;12:153-157.
.. [3] Fagerland MW, Lydersen S, Laake P. The McNemar test for binary matched-pairs data: mid-p and
   asymptotic are better than exact conditional. BMC Medical Research Methodology 2013;13:91.
.. [4] Tango T. Equivalence test and confidence interval for the difference in proportions for the
   paired-sample design. Statistics in Medicine 1998;17:891-908.
"""

from dataclasses import dataclass
from math import sqrt

from app.statistics.arrays import Bools
from app.statistics.notes import Note
from app.statistics.tails import Z95, binomial_half_cdf, chi2_survival

FEW_DISCORDANT = 25
"""Below this many discordant pairs McNemar's test is made exactly."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """A proportion with its 95% Wilson interval [1]_; None where the denominator is 0."""

    value: float | None
    low: float | None
    high: float | None
    numerator: int
    denominator: int
    method: str = "Wilson 1927"


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's test of `gained` against `lost` discordant pairs.

    `p` is exact below 25 discordant pairs and by chi-squared (no continuity correction) from 25.
    """

    gained: int
    lost: int
    chi2: float | None
    p: float
    p_exact: float
    p_midp: float
    p_chi2: float | None
    p_chi2_corrected: float | None
    method: str


@dataclass(frozen=True, slots=True)
class ProportionDifference:
    """Comparison minus baseline of two paired proportions, with a 95% interval."""

    difference: float | None
    p: float | None
    low: float | None
    high: float | None
    n: int
    gained: int
    lost: int
    p_midp: float | None
    method: str
    notes: tuple[Note, ...] = ()


def proportion(numerator: int, denominator: int) -> Proportion:
    """Wilson's score interval [1]_; ValueError unless 0 <= numerator <= denominator."""
    if not 0 <= numerator <= denominator:
        raise ValueError(f"{numerator} of {denominator} is no proportion.")
    if denominator == 0:
        return Proportion(None, None, None, 0, 0)
    p = numerator / denominator
    low, high = wilson_interval(p, denominator)
    return Proportion(p, low, high, numerator, denominator)


def wilson_interval(p: float, n: float) -> tuple[float, float]:
    """Wilson's 95% limits [1]_ of a share p of n; n need not be whole (effective sample sizes)."""
    z2 = Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    # At 0 and 1 the limit is exactly 0 and 1; rounding must not move it.
    return 0.0 if p == 0 else centre - half, 1.0 if p == 1 else centre + half


def mcnemar(gained: int, lost: int) -> McNemar:
    """McNemar's test [2]_ in its exact, mid-p [3]_ and chi-squared forms.

    `gained`: right only in the comparison; `lost`: right only in the baseline.
    """
    discordant, smaller = gained + lost, min(gained, lost)
    exact = min(1.0, 2 * binomial_half_cdf(smaller, discordant))
    point = binomial_half_cdf(smaller, discordant) - binomial_half_cdf(smaller - 1, discordant)
    midp = 1.0 if gained == lost else exact - point
    if discordant == 0:
        return McNemar(0, 0, None, 1.0, 1.0, 1.0, None, None, "McNemar, no discordant pair")
    chi2 = (gained - lost) ** 2 / discordant
    corrected = max(0, abs(gained - lost) - 1) ** 2 / discordant
    p_chi2 = chi2_survival(chi2, 1)
    few = discordant < FEW_DISCORDANT
    return McNemar(
        gained,
        lost,
        chi2,
        exact if few else p_chi2,
        exact,
        midp,
        p_chi2,
        chi2_survival(corrected, 1),
        "McNemar exact" if few else "McNemar chi-squared without continuity correction",
    )


def tango_interval(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Tango's 95% score interval [4]_ of the difference (gained - lost) / n over n pairs.

    The limits solve (gained - lost - n d)^2 = z^2 n (2 q(d) + d (1 - d)), where q(d) is the
    restricted maximum likelihood estimate of the smaller discordant probability.
    """
    estimate = (gained - lost) / n

    def excess(d: float) -> float:
        b = -gained - lost + (2 * n - gained + lost) * d
        c = -lost * d * (1 - d)
        q = (sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * q + d * (1 - d))
        return (gained - lost - n * d) ** 2 - Z95**2 * variance

    def limit(outside: float) -> float:
        inside = estimate
        if excess(outside) <= 0:
            return outside
        for _ in range(200):
            middle = (inside + outside) / 2
            if middle in {inside, outside}:
                break
            inside, outside = (inside, middle) if excess(middle) > 0 else (middle, outside)
        return (inside + outside) / 2

    return limit(-1.0), limit(1.0)


def proportion_difference(baseline: Bools, comparison: Bools) -> ProportionDifference:
    """Paired difference of two proportions of "right" over the same N cases.

    `baseline`, `comparison` (N,) True = right. McNemar's test [2]_, Tango's interval [4]_.
    """
    n = baseline.size
    gained, lost = int((comparison & ~baseline).sum()), int((baseline & ~comparison).sum())
    if n == 0:
        note = Note("no_cases", "There is no case on which the two proportions can be compared.")
        return ProportionDifference(
            None, None, None, None, 0, 0, 0, None, "McNemar, Tango", notes=(note,)
        )
    test = mcnemar(gained, lost)
    low, high = tango_interval(gained, lost, n)
    return ProportionDifference(
        (gained - lost) / n,
        test.p,
        low,
        high,
        n,
        gained,
        lost,
        test.p_midp,
        f"{test.method}; Tango 1998",
    )
