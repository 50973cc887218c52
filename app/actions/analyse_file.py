"""Analyse a file of readings: the same numbers as the results page, from the file alone."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import InvalidInput
from app.domain.readings_file import ReadingsFile, parse_readings
from app.statistics.prepare import PrepareError
from app.statistics.study import StudyAnalysis, analyse
from app.statistics.subgroups import SubgroupError, with_subgroups
from app.statistics.table import ReadingTable, TableError, table_from_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisOptions:
    """What the caller of an analysis chooses; None where the file or the scale decides."""

    positive: str | None = None
    baseline: str = "unaided"
    comparison: str = "aided"
    threshold: float | None = None
    cutoffs: tuple[float, ...] = ()
    bootstrap: int = 2000
    seed: int = 1
    score_class: str | None = None
    subgroup: str | None = None


def analyse_file(path: Path, options: AnalysisOptions | None = None) -> StudyAnalysis:
    """Analyse the file at `path`.

    Raises InvalidInput with all problems of the file, or with one sentence for a modality that
    the file does not know; OSError where it cannot be read.
    """
    return analyse_content(path.read_bytes(), name=path.name, options=options or AnalysisOptions())


def analyse_content(content: bytes, *, name: str, options: AnalysisOptions) -> StudyAnalysis:
    """Analyse the bytes of a file; `name` is what its problems call it. Raises InvalidInput."""
    file = read_file(content, name, options)
    try:
        table = table_of(file, options)
        results = analyse(
            table,
            positive=file.positive,
            baseline=options.baseline,
            comparison=options.comparison,
            threshold=options.threshold,
            cutoffs=options.cutoffs,
            bootstrap=options.bootstrap,
            seed=options.seed,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        if options.subgroup is None:
            return results
        return with_subgroups(
            results,
            table,
            column=options.subgroup,
            values=file.subgroups,
            cutoffs=options.cutoffs,
        )
    except (PrepareError, SubgroupError, TableError) as refused:
        raise InvalidInput(str(refused)) from refused


def read_file(content: bytes, name: str, options: AnalysisOptions) -> ReadingsFile:
    """Parse the bytes; InvalidInput, listing the problems, when there is any."""
    file = parse_readings(content, file=name, positive=options.positive, subgroup=options.subgroup)
    if file.problems:
        listed = "\n".join(str(problem) for problem in file.problems)
        raise InvalidInput(f"The file cannot be analysed.\n{listed}", file.problems)
    return file


def table_of(file: ReadingsFile, options: AnalysisOptions) -> ReadingTable:
    """Make the table of a parsed file."""
    return table_from_rows(
        file.readings,
        score_class=options.score_class or file.score_class,
        simulated=file.simulated,
    )


def write_analysis(
    path: Path,
    options: AnalysisOptions | None = None,
    *,
    json_path: Path | None = None,
    html_path: Path | None = None,
) -> StudyAnalysis:
    """Analyse the file and write what is asked for; the results also come back."""
    results = analyse_file(path, options)
    if json_path is not None:
        json_path.write_text(as_text(results), encoding="utf-8")
    if html_path is not None:
        html_path.write_text(as_html(path, results, options), encoding="utf-8")
    return results


def as_html(path: Path, results: StudyAnalysis, options: AnalysisOptions | None = None) -> str:
    """Return the report of the results of the file at `path`, with a figure per reader."""
    # Figures need matplotlib, which a run for numbers alone should not wait for.
    from app.actions.analysis_report import html_report
    from app.statistics.figures import roc_figure
    from app.statistics.flow_figure import reclassification_figure
    from app.statistics.study_figures import bars_figure, forest_figure

    chosen = options or AnalysisOptions()
    table = table_of(read_file(path.read_bytes(), path.name, chosen), chosen)
    baseline, comparison = (*results.modalities, *results.modalities)[:2]
    about = f"positive class {results.positive}"
    figures = [(f"Differences of AUC with intervals, {about}", forest_figure(results))]
    if any(
        metrics.accuracy.value is not None for metrics in results.readers[0].modalities.values()
    ):
        figures.append((f"Share of right calls, {about}", bars_figure(results)))
    for reader in results.readers:
        roc = roc_figure(
            table,
            reader.reader,
            positive=results.positive,
            baseline=baseline,
            comparison=comparison,
            threshold=chosen.threshold,
        )
        figures.append((f"ROC curves of reader {reader.reader}, {about}", roc))
        if reader.comparison is not None and reader.comparison.n:
            flow = reclassification_figure(results, reader.reader)
            figures.append((f"Changed calls of reader {reader.reader}, {about}", flow))
    return html_report(results, figures)


def as_text(results: StudyAnalysis) -> str:
    """Return the JSON text of the results; the same results give the same bytes."""
    return json.dumps(results.json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
