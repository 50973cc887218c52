"""Write the analysis of a file of readings: as JSON, as a report, and the readings as iMRMC."""

import hashlib
from dataclasses import replace
from pathlib import Path

from app.actions.analyse_file import (
    AnalysisOptions,
    analyse_readings,
    as_text,
    read_file,
    table_of,
)
from app.actions.convert_readings import as_imrmc
from app.actions.describe_cases import read_characteristics
from app.actions.output_files import check_outputs, write_outputs
from app.domain.readings_file import ReadingsFile
from app.statistics.study import StudyAnalysis


def write_analysis(
    path: Path,
    options: AnalysisOptions | None = None,
    *,
    cases_path: Path | None = None,
    json_path: Path | None = None,
    html_path: Path | None = None,
    imrmc_path: Path | None = None,
) -> StudyAnalysis:
    """Analyse the file and write what is asked for, or nothing; the results also come back.

    `cases_path`: a file of the cases' characteristics, for the baseline table and for subgroups.
    """
    chosen = options or AnalysisOptions()
    asked = (json_path, html_path, imrmc_path)
    check_outputs([out for out in asked if out is not None], source=path)
    content = path.read_bytes()
    cases = None
    if cases_path is not None:
        cases = read_characteristics(cases_path.read_bytes(), cases_path.name)
    # The characteristics of the cases make the subgroups where there are any.
    columns = chosen if cases is None else replace(chosen, subgroup=None)
    file = read_file(content, path.name, columns)
    outputs: dict[Path, bytes] = {}
    if imrmc_path is not None:
        outputs[imrmc_path] = as_imrmc(file, chosen)
    digest = hashlib.sha256(content).hexdigest()
    results = analyse_readings(file, chosen, sha256=digest, cases=cases)
    if json_path is not None:
        outputs[json_path] = as_text(results).encode()
    if html_path is not None:
        outputs[html_path] = as_html(file, results, chosen).encode()
    write_outputs(outputs)
    return results


def as_html(file: ReadingsFile, results: StudyAnalysis, options: AnalysisOptions) -> str:
    """Return the report of the results of a parsed file, with figures for each reader."""
    # Figures need matplotlib, which a run for numbers alone should not wait for.
    from app.actions.analysis_report import html_report
    from app.statistics.figures import roc_figure
    from app.statistics.flow_figure import reclassification_figure
    from app.statistics.study_figures import averaged_roc_figure, bars_figure, forest_figure

    table = table_of(file, options)
    baseline, comparison = (*results.modalities, *results.modalities)[:2]
    about = f"positive class {results.positive}"
    figures = [(f"Differences of AUC with intervals, {about}", forest_figure(results))]
    metrics = [each for reader in results.readers for each in reader.modalities.values()]
    if any(each.auc.value is not None for each in metrics):
        averaged = averaged_roc_figure(
            table,
            positive=results.positive,
            baseline=baseline,
            comparison=comparison,
            sha256=results.data.sha256,
        )
        figures.append((f"ROC curves averaged over readers, {about}", averaged))
    if any(each.accuracy.value is not None for each in metrics):
        figures.append((f"Share of right calls, {about}", bars_figure(results)))
    for reader in results.readers:
        roc = roc_figure(
            table,
            reader.reader,
            positive=results.positive,
            baseline=baseline,
            comparison=comparison,
            threshold=options.threshold,
            sha256=results.data.sha256,
        )
        figures.append((f"ROC curves of reader {reader.reader}, {about}", roc))
        if reader.comparison is not None and reader.comparison.n:
            flow = reclassification_figure(results, reader.reader)
            figures.append((f"Changed calls of reader {reader.reader}, {about}", flow))
    return html_report(results, figures)
