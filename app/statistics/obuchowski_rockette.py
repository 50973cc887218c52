"""Obuchowski-Rockette analysis of several readers in two modalities, with Hillis's corrections.

References
----------
.. [1] Obuchowski NA, Rockette HE. Hypothesis testing of diagnostic accuracy for multiple readers
   and multiple tests. Communications in Statistics - Simulation 1995;24:285-308.
.. [2] Hillis SL. A comparison of denominator degrees of freedom methods for multiple observer ROC
   analysis. Statistics in Medicine 2007;26:596-619.
.. [3] Hillis SL. A marginal-mean ANOVA approach for analyzing multireader multicase radiological
   imaging data. Statistics in Medicine 2014;33:330-360.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from app.statistics.arrays import Floats
from app.statistics.notes import Note
from app.statistics.tails import (
    Z95,
    chi2_survival,
    f_survival,
    t_quantile,
    two_sided_normal,
)

READERS_AND_CASES = "readers like these and cases like these"
THESE_READERS = "these readers only, on cases like these"
THESE_CASES = "readers like these, on these cases only"


@dataclass(frozen=True, slots=True)
class Components:
    """Variance components; `ms_*` are the mean squares of modality, reader and interaction."""

    var: float
    cov1: float
    cov2: float
    cov3: float
    var_reader: float | None
    var_modality_reader: float | None
    ms_modality: float
    ms_reader: float | None
    ms_modality_reader: float | None


@dataclass(frozen=True, slots=True)
class FTest:
    """F test of the modality difference (comparison minus baseline) with a 95% t interval."""

    f: float | None
    df1: int
    df2: float | None
    p: float | None
    difference: float
    se: float | None
    low: float | None
    high: float | None
    population: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Chi2Test:
    """Chi-squared test of the modality difference with a 95% normal interval."""

    chi2: float | None
    df: int
    p: float | None
    difference: float
    se: float | None
    low: float | None
    high: float | None
    population: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class ReaderDifference:
    """One reader's difference with the pooled-free standard error sqrt(2 (Var_j - Cov1_j))."""

    difference: float
    se: float
    z: float | None
    p: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ArmMean:
    """Mean over readers of one modality, with a 95% interval; df None: normal interval."""

    value: float
    se: float
    df: float | None
    low: float
    high: float
    population: str


@dataclass(frozen=True, slots=True)
class ArmMeans:
    """One modality's mean under each population."""

    random_readers_random_cases: ArmMean | None
    fixed_readers_random_cases: ArmMean
    random_readers_fixed_cases: ArmMean | None


@dataclass(frozen=True, slots=True)
class ObuchowskiRockette:
    """The three analyses, their components, each reader's difference and each modality's mean."""

    random_readers_random_cases: FTest | None
    fixed_readers_random_cases: Chi2Test
    random_readers_fixed_cases: FTest | None
    components: Components
    readers: tuple[ReaderDifference, ...]
    modalities: tuple[ArmMeans, ArmMeans]
    covariance: str


def _square(mean_square: float) -> float:
    """Take a mean square of rounding errors (about 1e-33) for the 0 that it is.

    Areas are multiples of 1 / (2 m n), so that real mean squares lie far above.
    """
    return 0.0 if mean_square < 1e-24 else mean_square  # noqa: PLR2004


def components(values: Floats, covariance: Floats) -> Components:
    """Variance components of [1]_ from values (2, R) and their covariance (2, R, 2, R)."""
    t, r = values.shape
    same_reader = np.einsum("ijkj->ikj", covariance)  # (t, t, r)
    within = np.einsum("ijik->ijk", covariance)  # (t, r, r)
    var = float(np.einsum("ijij->", covariance)) / (t * r)
    cov1 = (float(same_reader.sum()) - t * r * var) / (t * (t - 1) * r)
    pairs = r * (r - 1)
    cov2 = (float(within.sum()) - t * r * var) / (t * pairs) if pairs else 0.0
    rest = float(covariance.sum() - within.sum() - same_reader.sum()) + t * r * var
    cov3 = rest / (t * (t - 1) * pairs) if pairs else 0.0
    mean, by_modality, by_reader = values.mean(), values.mean(axis=1), values.mean(axis=0)
    ms_t = _square(r * float(((by_modality - mean) ** 2).sum()) / (t - 1))
    if not pairs:
        return Components(var, cov1, cov2, cov3, None, None, ms_t, None, None)
    ms_r = _square(t * float(((by_reader - mean) ** 2).sum()) / (r - 1))
    rest_of_cells = values - by_modality[:, None] - by_reader[None, :] + mean
    ms_tr = _square(float((rest_of_cells**2).sum()) / ((t - 1) * (r - 1)))
    # Moments of the marginal-mean model [3].
    var_r = (ms_r - ms_tr) / t - cov1 + cov3
    var_tr = ms_tr - var + cov1 + max(cov2 - cov3, 0.0)
    return Components(var, cov1, cov2, cov3, var_r, var_tr, ms_t, ms_r, ms_tr)


def obuchowski_rockette(values: Floats, covariance: Floats, name: str) -> ObuchowskiRockette:
    """Analyse values (2, R), baseline first, with their covariance (2, R, 2, R).

    `name` says how the covariance was estimated. With one reader only the fixed-reader analysis
    exists. A denominator that is not positive gives no test, and a note says so.
    """
    r = values.shape[1]
    parts = components(values, covariance)
    difference = float((values[1] - values[0]).mean())
    between = max(parts.cov2 - parts.cov3, 0.0)
    fixed = parts.var - parts.cov1 + (r - 1) * between
    rrrc = rrfc = None
    if parts.ms_modality_reader is not None:
        ms_tr = parts.ms_modality_reader
        denominator = ms_tr + r * between
        # Hillis 2007 [2]: ddf = denominator^2 / (MS(TR)^2 / ((t - 1)(r - 1))).
        df2 = denominator**2 / (ms_tr**2 / (r - 1)) if ms_tr > 0 else None
        rrrc = _f_test(parts, denominator, df2, difference, r, READERS_AND_CASES)
        rrfc = _f_test(parts, ms_tr, float(r - 1), difference, r, THESE_CASES)
    return ObuchowskiRockette(
        rrrc,
        _chi2_test(parts, fixed, difference, r),
        rrfc,
        parts,
        _reader_differences(values, covariance),
        (_arm(values[0], covariance[0, :, 0, :]), _arm(values[1], covariance[1, :, 1, :])),
        name,
    )


def _no_test(what: str) -> tuple[Note, ...]:
    text = f"The {what} is not positive, so no test of the difference can be made."
    return (Note("no_denominator", text),)


def _f_test(
    parts: Components,
    denominator: float,
    df2: float | None,
    difference: float,
    readers: int,
    population: str,
) -> FTest:
    if denominator <= 0 or df2 is None:
        notes = _no_test("denominator of the F test")
        nothing = (difference, None, None, None, population, notes)
        return FTest(None, 1, None, None, *nothing)
    f = parts.ms_modality / denominator
    se = sqrt(2 * denominator / readers)
    half = t_quantile(df2) * se
    return FTest(
        f,
        1,
        df2,
        f_survival(f, 1, df2),
        difference,
        se,
        difference - half,
        difference + half,
        population,
    )


def _chi2_test(parts: Components, denominator: float, difference: float, readers: int) -> Chi2Test:
    # Rounding leaves about 1e-18 where identical arms leave nothing.
    if denominator <= 1e-15 * max(parts.var, 1e-300):
        notes = _no_test("variance of the difference")
        return Chi2Test(None, 1, None, difference, None, None, None, THESE_READERS, notes)
    chi2 = parts.ms_modality / denominator
    se = sqrt(2 * denominator / readers)
    low, high = difference - Z95 * se, difference + Z95 * se
    return Chi2Test(chi2, 1, chi2_survival(chi2, 1), difference, se, low, high, THESE_READERS)


def _reader_differences(values: Floats, covariance: Floats) -> tuple[ReaderDifference, ...]:
    found: list[ReaderDifference] = []
    for j in range(values.shape[1]):
        difference = float(values[1, j] - values[0, j])
        variance = covariance[0, j, 0, j] + covariance[1, j, 1, j] - 2 * covariance[0, j, 1, j]
        # Identical readings leave rounding errors of about 1e-19 here, not a variance.
        rounding = 1e-14 * float(covariance[0, j, 0, j])
        se = sqrt(float(variance)) if variance > rounding else 0.0
        z = difference / se if se > 0 else None
        p = two_sided_normal(z) if z is not None else None
        half = Z95 * se
        found.append(ReaderDifference(difference, se, z, p, difference - half, difference + half))
    return tuple(found)


def _arm(values: Floats, covariance: Floats) -> ArmMeans:
    """Mean of one modality [3]_: values (R,), covariance (R, R)."""
    r = values.size
    mean = float(values.mean())
    var = float(np.trace(covariance)) / r
    cov2 = max((float(covariance.sum()) - r * var) / (r * (r - 1)), 0.0) if r > 1 else 0.0
    fixed = _mean(mean, (var + (r - 1) * cov2) / r, None, THESE_READERS)
    if r == 1:
        return ArmMeans(None, fixed, None)
    ms_r = _square(float(values.var(ddof=1)))
    total = ms_r + r * cov2
    df = total**2 / (ms_r**2 / (r - 1)) if ms_r > 0 else None
    return ArmMeans(
        _mean(mean, total / r, df, READERS_AND_CASES) if df is not None else None,
        fixed,
        _mean(mean, ms_r / r, float(r - 1), THESE_CASES),
    )


def _mean(value: float, variance: float, df: float | None, population: str) -> ArmMean:
    se = sqrt(max(0.0, variance))
    half = (Z95 if df is None else t_quantile(df)) * se
    return ArmMean(value, se, df, max(0.0, value - half), min(1.0, value + half), population)
