"""Analyse a file of readings: the same numbers as the results page, from the file alone."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from app.actions.describe_cases import baseline_of_readings, subgroup_values
from app.domain.case_characteristics import CaseCharacteristics
from app.domain.errors import InvalidInput
from app.domain.readings_file import ReadingsFile, parse_readings
from app.statistics.json_form import collect_warnings
from app.statistics.notes import Warning  # noqa: A004 - the word of the results
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


def analyse_content(
    content: bytes,
    *,
    name: str,
    options: AnalysisOptions,
    cases: CaseCharacteristics | None = None,
) -> StudyAnalysis:
    """Analyse the bytes of a file; `name` is what its problems call it. Raises InvalidInput.

    With the characteristics of its `cases` there is a baseline table, and subgroups are made by
    them instead of by a column of the readings.
    """
    file = read_file(content, name, options if cases is None else replace(options, subgroup=None))
    digest = hashlib.sha256(content).hexdigest()
    return analyse_readings(file, options, sha256=digest, cases=cases)


def analyse_readings(
    file: ReadingsFile,
    options: AnalysisOptions,
    *,
    sha256: str,
    cases: CaseCharacteristics | None = None,
) -> StudyAnalysis:
    """Analyse a parsed file; `sha256` is that of its bytes. Raises InvalidInput."""
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
            sha256=sha256,
        )
        if cases is not None:
            results = with_baseline(results, table, cases)
        if options.subgroup is None:
            return results
        if cases is not None:
            return with_subgroups_of_cases(
                results, table, cases, options.subgroup, cutoffs=options.cutoffs
            )
        return with_subgroups(
            results, table, column=options.subgroup, values=file.subgroups, cutoffs=options.cutoffs
        )
    except (PrepareError, SubgroupError, TableError) as refused:
        raise InvalidInput(str(refused)) from refused


def with_subgroups_of_cases(
    results: StudyAnalysis,
    table: ReadingTable,
    cases: CaseCharacteristics,
    column: str,
    *,
    cutoffs: tuple[float, ...] = (),
) -> StudyAnalysis:
    """Add the results per value of a characteristic; InvalidInput where it makes no subgroups."""
    values = subgroup_values(cases, column)
    try:
        return with_subgroups(results, table, column=column, values=values, cutoffs=cutoffs)
    except SubgroupError as refused:
        raise InvalidInput(str(refused)) from refused


def with_baseline(
    results: StudyAnalysis, table: ReadingTable, cases: CaseCharacteristics
) -> StudyAnalysis:
    """Add the baseline table of the true classes; `table` is what the results came from."""
    baseline, unknown = baseline_of_readings(
        cases, table, positive=results.positive, negative=results.negative
    )
    text = f"{unknown} of {len(table.cases)} cases have no row in the file of cases."
    warnings = list(results.warnings)
    for row in baseline.rows:
        warnings.extend(collect_warnings(row, f"baseline, {row.characteristic}"))
    warnings += [Warning("cases_unknown", "baseline", text)] if unknown else []
    return replace(results, baseline=baseline, warnings=tuple(warnings))


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
        repeats=file.repeats,
        unused=file.later,
        score_class=options.score_class or file.score_class,
        simulated=file.simulated,
    )


def as_text(results: StudyAnalysis) -> str:
    """Return the JSON text of the results; the same results give the same bytes."""
    return json.dumps(results.json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
