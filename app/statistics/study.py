"""The analysis of a reader study: one table of readings in, one frozen result out."""

from dataclasses import replace
from math import isfinite

import numpy as np

from app.statistics.comparison import bootstrapped, compare
from app.statistics.failures import failures
from app.statistics.json_form import collect_warnings, merged
from app.statistics.mrmc import mrmc
from app.statistics.notes import Warning  # noqa: A004 - the word of the results
from app.statistics.prepare import Prepared, PrepareError, prepare
from app.statistics.reading_metrics import ModalityMetrics, Readings, modality_metrics
from app.statistics.study_agreement import study_agreement
from app.statistics.study_results import DataSummary, ReaderAnalysis, StudyAnalysis
from app.statistics.table import NONE, ReadingTable

__all__ = ["StudyAnalysis", "analyse"]

FEWEST_RESAMPLES, MOST_RESAMPLES = 20, 50_000

CAUTION = Warning(
    "nri_idi_caution",
    "nri, idi",
    "NRI and IDI can improve without any gain: they reward miscalibrated scores (Hilden and Gerds "
    "2014), and the p-values of the NRI mislead (Pepe 2014, Kerr 2014). Read them beside the "
    "differences of AUC and Brier score and the counts of changed calls.",
)


def analyse(
    table: ReadingTable,
    *,
    positive: str = "BCC",
    baseline: str = "unaided",
    comparison: str = "aided",
    threshold: float | None = None,
    cutoffs: tuple[float, ...] = (),
    bootstrap: int = 2000,
    seed: int = 1,
    sha256: str | None = None,
) -> StudyAnalysis:
    """Analyse a study. The same table gives the same numbers, whatever the order of its rows.

    `positive` names the positive class; `baseline` and `comparison` the two modalities. A call
    comes from the call, else from score >= `threshold` (0.5 where scores lie in [0, 1]).
    `cutoffs`: score categories for an NRI by categories. `bootstrap`: resamples, 0 for none,
    drawn from `seed`. `sha256`: of the file, carried into the result.

    Raises PrepareError, whose sentence says what is wrong, for a positive class or a modality
    that the table does not know, and for an option that makes no analysis.
    """
    _check_options(cutoffs, bootstrap, seed)
    study = prepare(table, positive, baseline, comparison, threshold)
    readers = tuple(_reader(study, r, cutoffs, bootstrap, seed) for r in range(len(study.readers)))
    model = _model(study)
    together = mrmc(study) if len(study.modalities) > 1 else None
    agreed = study_agreement(study)
    places = {reader.reader: reader for reader in readers}
    found = [*study.warnings, *collect_warnings(places), *collect_warnings(model, "model")]
    found.extend(collect_warnings(together, "mrmc"))
    found.extend(collect_warnings(agreed, "agreement"))
    found.extend(_direction(readers))
    if any(reader.comparison for reader in readers):
        found.append(CAUTION)
    positives = int(study.truth.sum())
    return StudyAnalysis(
        data=DataSummary(
            sha256=sha256,
            rows=table.rows,
            readers=len(study.readers),
            cases=study.truth.size,
            positives=positives,
            negatives=study.truth.size - positives,
            missing=int((~study.read).sum()),
        ),
        positive=study.positive,
        negative=study.negative,
        modalities=study.modalities,
        threshold=study.threshold,
        readers=readers,
        model=model,
        mrmc=together,
        agreement=agreed,
        failures=failures(study),
        subgroups=None,
        baseline=None,
        warnings=merged(found),
    )


def _check_options(cutoffs: tuple[float, ...], bootstrap: int, seed: int) -> None:
    if bootstrap != 0 and not FEWEST_RESAMPLES <= bootstrap <= MOST_RESAMPLES:
        raise PrepareError(
            f"The bootstrap takes {FEWEST_RESAMPLES} to {MOST_RESAMPLES} resamples, or 0 for none."
        )
    if seed < 0:
        raise PrepareError("The seed has to be 0 or more.")
    if any(not isfinite(cut) for cut in cutoffs) or list(cutoffs) != sorted(set(cutoffs)):
        raise PrepareError("Category cut-offs have to be finite numbers in rising order.")


def _reader(
    study: Prepared, r: int, cutoffs: tuple[float, ...], resamples: int, seed: int
) -> ReaderAnalysis:
    arms = [
        Readings(study.truth, study.called[m, r], study.scores[m, r])
        for m in range(len(study.modalities))
    ]
    compared = None
    if len(arms) > 1:
        compared = compare(
            arms[0],
            arms[1],
            study.advice_called[r],
            probabilities=study.probabilities,
            cutoffs=cutoffs,
            labels=(study.negative, study.positive),
        )
        if resamples:
            intervals = bootstrapped(
                arms[0],
                arms[1],
                probabilities=study.probabilities,
                resamples=resamples,
                seed=seed,
            )
            compared = replace(compared, bootstrap=intervals)
    return ReaderAnalysis(
        reader=study.readers[r],
        simulated=study.readers[r] in study.simulated,
        modalities={
            name: modality_metrics(arm, probabilities=study.probabilities)
            for name, arm in zip(study.modalities, arms, strict=True)
        },
        comparison=compared,
    )


def _direction(readers: tuple[ReaderAnalysis, ...]) -> tuple[Warning, ...]:
    """Ask about scores that order the classes the wrong way round while the calls do not."""
    arms = [metrics for reader in readers for metrics in reader.modalities.values()]
    areas = [
        (metrics.auc.value, metrics.auc_calls.value)
        for metrics in arms
        if metrics.auc.value is not None and metrics.auc_calls.value is not None
    ]
    half = 0.5
    if not areas or not all(area < half < calls for area, calls in areas):
        return ()
    text = (
        "Every AUC lies below one half while every reader calls better than chance: do high "
        "scores speak for the other class? Nothing was turned."
    )
    return (Warning("score_direction", "scores", text),)


def _model(study: Prepared) -> ModalityMetrics | None:
    """Judge the model alone on the same cases, each case once."""
    if (study.model_called == NONE).all() and np.isnan(study.model_scores).all():
        return None
    return modality_metrics(Readings(study.truth, study.model_called, study.model_scores))
