"""The 345 VanDyke numbers (OR-DBM MRMC, MRMCaov, iMRMC, RJafroc), each at its tolerance.

The references difference treatment 1 minus 2; ours is comparison (2) minus baseline (1).
"""

import csv
from functools import cache
from typing import Any

import numpy as np
import pytest
from reference_data import FOLDER

from app.statistics.arrays import Bools, Floats
from app.statistics.covariance import METHODS, area_estimates
from app.statistics.obuchowski_rockette import FTest, ObuchowskiRockette, obuchowski_rockette
from app.statistics.power import pilot_of, power
from app.statistics.tails import f_survival
from app.statistics.ustatistics import UStatistic, u_statistics

with (FOLDER / "vandyke_expected.csv").open() as _file:
    # Some quantities stand there twice, from two programs.
    EXPECTED = [
        (row["quantity"], float(row["value"]), float(row["abs_tol"]))
        for row in csv.DictReader(_file)
    ]
CASES, READERS = 114, 5


@cache
def readings() -> tuple[Bools, Floats]:
    scores = np.full((2, READERS, CASES), np.nan)
    truth = np.zeros(CASES, dtype=np.bool_)
    with (FOLDER / "data" / "VanDyke.csv").open() as file:
        for row in csv.DictReader(file):
            t, r, c = (int(row[name]) - 1 for name in ("treatment", "reader", "case"))
            scores[t, r, c] = float(row["rating"])
            truth[c] = row["truth"] == "1"
    return truth, scores


def f_numbers(prefix: str, test: FTest) -> dict[str, Any]:
    assert test.se is not None
    assert test.low is not None
    assert test.high is not None
    t = -test.difference / test.se
    return {
        f"{prefix}.F": test.f,
        f"{prefix}.df1": test.df1,
        f"{prefix}.df2": test.df2,
        f"{prefix}.ddf_H": test.df2,
        f"{prefix}.p": test.p,
        f"{prefix}.p-value": test.p,
        f"{prefix}.StdErr": test.se,
        f"{prefix}.t": t,
        f"{prefix}.CI.lo": -test.high,
        f"{prefix}.CI.hi": -test.low,
        f"{prefix}.diff.Estimate": -test.difference,
        f"{prefix}.diff.StdErr": test.se,
        f"{prefix}.diff.df": test.df2,
        f"{prefix}.diff.CI.Lower": -test.high,
        f"{prefix}.diff.CI.Upper": -test.low,
        f"{prefix}.diff.t": t,
        f"{prefix}.diff.p-value": test.p,
    }


def component_numbers(m: str, found: ObuchowskiRockette) -> dict[str, Any]:
    parts = found.components
    return {
        f"{m}.OR.MS(T)": parts.ms_modality,
        f"{m}.OR.MS(R)": parts.ms_reader,
        f"{m}.OR.MS(TR)": parts.ms_modality_reader,
        f"{m}.RRRC.MS(T)": parts.ms_modality,
        f"{m}.RRRC.MS(T:R)": parts.ms_modality_reader,
        f"{m}.OR.Var(R)": parts.var_reader,
        f"{m}.OR.reader": parts.var_reader,
        f"{m}.OR.Var(TR)": parts.var_modality_reader,
        f"{m}.OR.treatment:reader": parts.var_modality_reader,
        f"{m}.OR.Var(Error)": parts.var,
        f"{m}.OR.Error": parts.var,
        f"{m}.OR.Cov1": parts.cov1,
        f"{m}.OR.Cov2": parts.cov2,
        f"{m}.OR.Cov3": parts.cov3,
        f"{m}.RRRC.Cov2": parts.cov2,
        f"{m}.RRRC.Cov3": parts.cov3,
        f"{m}.OR.corr1": parts.cov1 / parts.var,
        f"{m}.OR.corr2": parts.cov2 / parts.var,
        f"{m}.OR.corr3": parts.cov3 / parts.var,
        # Dorfman-Berbaum-Metz components of the pseudovalues (Hillis 2005, table 3).
        f"{m}.DBM.Var(R)": parts.var_reader,
        f"{m}.DBM.Var(TR)": parts.var_modality_reader,
        f"{m}.DBM.Var(C)": CASES * parts.cov3,
        f"{m}.DBM.Var(TC)": CASES * (parts.cov2 - parts.cov3),
        f"{m}.DBM.Var(RC)": CASES * (parts.cov1 - parts.cov3),
        f"{m}.DBM.Var(Error)": CASES * (parts.var - parts.cov1 - parts.cov2 + parts.cov3),
    }


def reader_numbers(m: str, found: ObuchowskiRockette) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for j, reader in enumerate(found.readers, start=1):
        at = f"{m}.FRRC.reader{j}"
        assert reader.z is not None
        numbers |= {
            f"{at}.diff": -reader.difference,
            f"{at}.Estimate": -reader.difference,
            f"{at}.SE": reader.se,
            f"{at}.StdErr": reader.se,
            f"{at}.z": -reader.z,
            f"{at}.p": reader.p,
            f"{at}.p-value": reader.p,
            f"{at}.lo": -reader.high,
            f"{at}.hi": -reader.low,
            f"{at}.CI.Lower": -reader.high,
            f"{at}.CI.Upper": -reader.low,
        }
    return numbers


def arm_numbers(m: str, found: ObuchowskiRockette, covariance: Floats, areas: Floats) -> Any:  # noqa: ANN401
    numbers: dict[str, Any] = {}
    for i, arm in enumerate(found.modalities):
        mean = arm.random_readers_random_cases
        assert mean is not None
        for at in (f"{m}.RRRC.mean{i + 1}", f"{m}.RRRC.single{i + 1}"):
            numbers |= {
                f"{at}.Estimate": mean.value,
                f"{at}.StdErr": mean.se,
                f"{at}.SE": mean.se,
                f"{at}.df": mean.df,
                f"{at}.CI.Lower": mean.low,
                f"{at}.CI.Upper": mean.high,
                f"{at}.lo": mean.low,
                f"{at}.hi": mean.high,
            }
        own = covariance[i, :, i, :]
        numbers[f"{m}.RRRC.mean{i + 1}.MS(R)"] = areas[i].var(ddof=1)
        numbers[f"{m}.RRRC.mean{i + 1}.Cov2"] = (own.sum() - np.trace(own)) / 20
        numbers[f"{m}.mean.test{i + 1}"] = mean.value
        for j in range(READERS):
            numbers[f"{m}.AUC.test{i + 1}.reader{j + 1}"] = areas[i, j]
    return numbers


def method_numbers(m: Any) -> dict[str, Any]:  # noqa: ANN401
    truth, scores = readings()
    estimates = area_estimates(truth, scores.reshape(-1, CASES))
    areas = estimates.values.reshape(2, READERS)
    covariance = estimates.covariance[m].reshape(2, READERS, 2, READERS)
    found = obuchowski_rockette(areas, covariance, m)
    rrrc, frrc = found.random_readers_random_cases, found.fixed_readers_random_cases
    rrfc = found.random_readers_fixed_cases
    assert rrrc is not None
    assert rrfc is not None
    assert frrc.se is not None
    assert frrc.low is not None
    assert frrc.high is not None
    assert rrrc.f is not None
    name = "DeLong" if m == "delong" else m
    numbers = (
        f_numbers(f"{name}.RRRC", rrrc)
        | f_numbers(f"{name}.RRFC", rrfc)
        | component_numbers(name, found)
        | reader_numbers(name, found)
        | arm_numbers(name, found, covariance, areas)
        | {
            f"{name}.diff(1-2)": -frrc.difference,
            f"{name}.RRRC.Denominator": found.components.ms_modality / rrrc.f,
            f"{name}.FRRC.X2": frrc.chi2,
            f"{name}.FRRC.df": frrc.df,
            f"{name}.FRRC.p": frrc.p,
            f"{name}.FRRC.p-value": frrc.p,
            f"{name}.FRRC.StdErr": frrc.se,
            f"{name}.FRRC.z": -frrc.difference / frrc.se,
            f"{name}.FRRC.CI.lo": -frrc.high,
            f"{name}.FRRC.CI.hi": -frrc.low,
            f"{name}.FRRC.Denominator": frrc.se**2 * READERS / 2,
        }
    )
    return numbers | (jackknife_only(found, rrrc, rrfc) if m == "jackknife" else {})


def jackknife_only(found: ObuchowskiRockette, rrrc: FTest, rrfc: FTest) -> dict[str, Any]:
    chi2 = found.fixed_readers_random_cases.chi2
    assert chi2 is not None
    pilot = pilot_of(found.components, CASES)

    def at(difference: float, population: Any) -> float:  # noqa: ANN401
        return power(
            pilot, readers=6, cases=251, difference=difference, population=population
        ).power

    return {
        "DBM.RRRC.F": rrrc.f,
        "DBM.RRRC.ddf": rrrc.df2,
        "DBM.RRRC.p": rrrc.p,
        "DBM.FRRC.F(1,113)": chi2,
        "DBM.FRRC.p": f_survival(chi2, 1, CASES - 1),
        "DBM.RRFC.F(1,4)": rrfc.f,
        "DBM.RRFC.p": rrfc.p,
        "power.OR.RRRC.J6.K251.es.05": at(0.05, "random_readers_random_cases"),
        "power.OR.RRRC.J6.K251.es_observed": at(rrrc.difference, "random_readers_random_cases"),
        "power.OR.FRRC.J6.K251.es.05": at(0.05, "fixed_readers_random_cases"),
        "power.OR.RRFC.J6.K251.es.05": at(0.05, "random_readers_fixed_cases"),
    }


def u_numbers(name: str, estimator: Any) -> dict[str, Any]:  # noqa: ANN401
    truth, scores = readings()
    # iMRMC's difference is test 1 minus test 2.
    found = u_statistics(truth, scores[::-1])[estimator]
    results: dict[str, UStatistic] = {
        "test1": found.comparison,
        "test2": found.baseline,
        "diff": found.difference,
    }
    numbers: dict[str, Any] = {f"iMRMC.{name}.diff.varAUCA": found.comparison.variance}
    for place, result in results.items():
        at = f"iMRMC.{name}.{place}"
        turned = place == "diff"
        assert result.low is not None
        assert result.high is not None
        low, high = (result.low, result.high) if not turned else (-result.high, -result.low)
        numbers |= {
            f"{at}.varAUCAminusAUCB" if turned else f"{at}.varAUCA": result.variance,
            f"{at}.dfBDG": result.df,
            f"{at}.pValueBDG": result.p,
            f"{at}.pValueNormal": result.p_normal,
            f"{at}.botCIBDG": low,
            f"{at}.topCIBDG": high,
        }
        # The file gives the interval of treatment 1 minus 2, which is ours unturned.
        if turned:
            numbers[f"{at}.botCIBDG"], numbers[f"{at}.topCIBDG"] = -high, -low
    return numbers


@cache
def ours() -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for method in METHODS:
        numbers |= method_numbers(method)
    return numbers | u_numbers("Ustat", "unbiased") | u_numbers("MLEstat", "mle")


@pytest.mark.parametrize(("quantity", "value", "tolerance"), EXPECTED)
def test_vandyke(quantity: str, value: float, tolerance: float) -> None:
    assert ours()[quantity] == pytest.approx(value, abs=tolerance, rel=0)


def test_there_are_345_of_them() -> None:
    assert len(EXPECTED) == 345
