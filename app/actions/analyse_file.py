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
    return analyse_readings(file, options, sha256=hashlib.sha256(content).hexdigest())


def analyse_readings(file: ReadingsFile, options: AnalysisOptions, *, sha256: str) -> StudyAnalysis:
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
        repeats=file.repeats,
        unused=file.later,
        score_class=options.score_class or file.score_class,
        simulated=file.simulated,
    )


def as_text(results: StudyAnalysis) -> str:
    """Return the JSON text of the results; the same results give the same bytes."""
    return json.dumps(results.json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
