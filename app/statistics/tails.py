"""Tail probabilities and quantiles: the one place where a p-value comes to be.

A p-value computed in doubles underflows to 0 beyond about 37 standard errors. A p of 0 would
claim certainty, so the smallest normal double stands in its place.
"""

import sys
from collections.abc import Callable
from math import erfc, sqrt
from typing import cast

from scipy import special  # pyright: ignore[reportMissingTypeStubs] - scipy ships none

SMALLEST_P = sys.float_info.min
_CONFIDENCE_TAIL = 0.975

_scalar = Callable[..., float]
_normal_quantile = cast("_scalar", special.ndtri)
_t_cdf = cast("_scalar", special.stdtr)
_t_quantile = cast("_scalar", special.stdtrit)
_f_survival = cast("_scalar", special.fdtrc)
_f_quantile = cast("_scalar", special.fdtri)
_chi2_survival = cast("_scalar", special.chdtrc)
_binomial_cdf = cast("_scalar", special.bdtr)
_beta_quantile = cast("_scalar", special.betaincinv)
_noncentral_chi2_cdf = cast("_scalar", special.chndtr)
_noncentral_f_cdf = cast("_scalar", special.ncfdtr)

Z95 = float(_normal_quantile(_CONFIDENCE_TAIL))
"""The 0.975 quantile of the standard normal: half-width of a 95% interval in standard errors."""


def _never_zero(p: float) -> float:
    return min(1.0, max(p, SMALLEST_P))


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal."""
    return float(_normal_quantile(probability))


def normal_survival(z: float) -> float:
    """P(Z > z) of the standard normal."""
    return 0.5 * erfc(z / sqrt(2))


def normal_cdf(z: float) -> float:
    """P(Z <= z) of the standard normal."""
    return normal_survival(-z)


def two_sided_normal(z: float) -> float:
    """Two-sided p of a standard normal statistic."""
    return _never_zero(erfc(abs(z) / sqrt(2)))


def two_sided_t(t: float, df: float) -> float:
    """Two-sided p of Student's t with df degrees of freedom (df may be fractional)."""
    return _never_zero(2 * float(_t_cdf(df, -abs(t))))


def t_quantile(df: float, probability: float = _CONFIDENCE_TAIL) -> float:
    """Quantile of Student's t; by default the half-width of a 95% interval."""
    return float(_t_quantile(df, probability))


def f_survival(f: float, df1: float, df2: float) -> float:
    """P(F > f)."""
    return _never_zero(float(_f_survival(df1, df2, f)))


def f_quantile(probability: float, df1: float, df2: float) -> float:
    """Quantile of the F distribution."""
    return float(_f_quantile(df1, df2, probability))


def noncentral_f_survival(f: float, df1: float, df2: float, noncentrality: float) -> float:
    """P(F > f) of the noncentral F distribution: the power of an F test."""
    return 1 - float(_noncentral_f_cdf(df1, df2, noncentrality, f))


def noncentral_chi2_survival(chi2: float, df: float, noncentrality: float) -> float:
    """P(X > chi2) of the noncentral chi-squared distribution."""
    return 1 - float(_noncentral_chi2_cdf(chi2, df, noncentrality))


def chi2_survival(chi2: float, df: float) -> float:
    """P(X > chi2)."""
    return _never_zero(float(_chi2_survival(df, chi2)))


def binomial_half_cdf(successes: int, trials: int) -> float:
    """P(X <= successes) for a fair coin thrown `trials` times."""
    return float(_binomial_cdf(float(successes), trials, 0.5)) if successes >= 0 else 0.0


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Quantile of the beta distribution."""
    return float(_beta_quantile(a, b, probability))
