"""Other intervals of a proportion, for readers of papers that use them; ours is Wilson's.

References
----------
.. [1] Clopper CJ, Pearson ES. The use of confidence or fiducial limits illustrated in the case of
   the binomial. Biometrika 1934;26:404-413.
.. [2] Agresti A, Coull BA. Approximate is better than "exact" for interval estimation of binomial
   proportions. American Statistician 1998;52:119-126.
.. [3] Brown LD, Cai TT, DasGupta A. Interval estimation for a binomial proportion. Statistical
   Science 2001;16:101-133 (Wald and Jeffreys).
"""

from math import sqrt

from app.statistics.tails import Z95, beta_quantile

_TAIL = 0.025


def _check(numerator: int, denominator: int) -> None:
    if not 0 <= numerator <= denominator or denominator == 0:
        raise ValueError(f"{numerator} of {denominator} is no proportion.")


def exact_interval(numerator: int, denominator: int) -> tuple[float, float]:
    """Clopper and Pearson's interval [1]_: at least 95% coverage, mostly more."""
    _check(numerator, denominator)
    x, n = numerator, denominator
    low = 0.0 if x == 0 else beta_quantile(_TAIL, x, n - x + 1)
    high = 1.0 if x == n else beta_quantile(1 - _TAIL, x + 1, n - x)
    return low, high


def agresti_coull_interval(numerator: int, denominator: int) -> tuple[float, float]:
    """Agresti and Coull's interval [2]_, which may leave [0, 1]."""
    _check(numerator, denominator)
    n = denominator + Z95**2
    p = (numerator + Z95**2 / 2) / n
    half = Z95 * sqrt(p * (1 - p) / n)
    return p - half, p + half


def wald_interval(numerator: int, denominator: int) -> tuple[float, float]:
    """Wald's interval, too short for small samples and a point at 0 and 1 [3]_."""
    _check(numerator, denominator)
    p = numerator / denominator
    half = Z95 * sqrt(p * (1 - p) / denominator)
    return p - half, p + half


def jeffreys_interval(numerator: int, denominator: int) -> tuple[float, float]:
    """Jeffreys's interval [3]_; at 0 and n the whole 5% lies on the inner side."""
    _check(numerator, denominator)
    x, n = numerator, denominator
    tail = 2 * _TAIL if x in {0, n} else _TAIL
    low = 0.0 if x == 0 else beta_quantile(tail, x + 0.5, n - x + 0.5)
    high = 1.0 if x == n else beta_quantile(1 - tail, x + 0.5, n - x + 0.5)
    return low, high
