"""The results of an unblinded study: the analysis of the very file that is exported."""

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

from app.actions.analyse_file import (
    AnalysisOptions,
    analyse_readings,
    read_file,
    table_of,
    with_subgroups_of_cases,
)
from app.actions.describe_cases import read_characteristics
from app.actions.export_study import (
    check_frozen,
    reader_code,
    readings_csv,
    table_csv,
)
from app.actions.kept_analyses import KeptAnalyses, KeptAnalysis
from app.db import results
from app.db.audit import AuditedStudy
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.case_characteristics import CaseCharacteristics
from app.domain.errors import Conflict, NotFound
from app.statistics.figures import Form, roc_figure
from app.statistics.flow_figure import reclassification_figure
from app.statistics.study import StudyAnalysis
from app.statistics.study_figures import averaged_roc_figure, bars_figure, forest_figure

StudyFigure = Literal["averaged-roc", "forest", "bars"]

_kept = KeptAnalyses()


@dataclass(frozen=True)
class Results:
    """What the results page shows: numbers, and what they were computed from.

    `columns` are the characteristics of the cases that can make subgroups.
    """

    analysis: StudyAnalysis
    file_sha256: str
    reader_names: dict[str, str]
    simulated: frozenset[str]
    columns: tuple[str, ...]


def analyse_study(
    connection: Connection, *, study: Study, subgroup: str | None = None, by: Account
) -> Results:
    """Analyse an unblinded study; raises Conflict before unblinding, or without readings.

    Page, JSON and figure all come from the bytes of readings.csv and cases.csv, so `reread analyse`
    on the export gives the same numbers to the last digit. `subgroup` names a characteristic of the
    cases; InvalidInput where it makes no subgroups. Every look is written down.
    """
    kept = _analysed(connection, study)
    if subgroup is not None:
        kept = _parted(kept, study, subgroup)
    names = results.reader_names(connection, study.id)
    # Last: the event holds the chain's lock until the commit, and the analysis takes its time.
    record_look(connection, study=study, what="results", by=by)
    return Results(
        analysis=kept.analysis,
        file_sha256=kept.file_sha256,
        reader_names={reader_code(name.number): name.name for name in names},
        simulated=frozenset(reader_code(name.number) for name in names if name.simulated),
        columns=tuple(column.name for column in kept.cases.columns if len(set(column.values)) > 1),
    )


def draw_roc(
    connection: Connection, *, study: Study, reader: str, form: Form, by: Account
) -> bytes:
    """Draw a reader's ROC figure of an unblinded study; raises NotFound for an unknown reader."""
    kept = _analysed(connection, study)
    if reader not in kept.table.readers:
        raise NotFound("There is no such reader in this study.")
    figure = roc_figure(
        kept.table, reader, positive=study.positive_class, form=form, sha256=kept.file_sha256
    )
    record_look(connection, study=study, what=f"figure of {reader}", by=by)
    return figure


def draw_changes(
    connection: Connection, *, study: Study, reader: str, form: Form, by: Account
) -> bytes:
    """Draw how a reader's calls moved; NotFound for a reader without calls in both modalities."""
    analysis = _analysed(connection, study).analysis
    try:
        figure = reclassification_figure(analysis, reader, form=form)
    except ValueError as refused:
        raise NotFound(str(refused)) from refused
    record_look(connection, study=study, what=f"changed calls of {reader}", by=by)
    return figure


def draw_study(
    connection: Connection, *, study: Study, figure: StudyFigure, form: Form, by: Account
) -> bytes:
    """Draw a figure about all readers; NotFound where the readings do not make it."""
    kept = _analysed(connection, study)
    try:
        if figure == "averaged-roc":
            drawn = averaged_roc_figure(
                kept.table, positive=study.positive_class, form=form, sha256=kept.file_sha256
            )
        elif figure == "forest":
            drawn = forest_figure(kept.analysis, form=form)
        else:
            drawn = bars_figure(kept.analysis, form=form)
    except ValueError as refused:
        raise NotFound(str(refused)) from refused
    record_look(connection, study=study, what=f"figure {figure}", by=by)
    return drawn


def _analysed(connection: Connection, study: Study) -> KeptAnalysis:
    """Return the study's analysis, made once for its frozen readings."""
    digest = check_frozen(connection, study=study)
    key = (study.id, digest, study.positive_class, "")
    return _kept.get(key, lambda: _analyse(connection, study))


def _analyse(connection: Connection, study: Study) -> KeptAnalysis:
    content = readings_csv(connection, study=study)
    if content.count(b"\n") < 2:  # noqa: PLR2004 - the header and one row
        raise Conflict("Nobody has read a case in this study: there is nothing to analyse.")
    cases = _cases(connection, study)
    options = AnalysisOptions(positive=study.positive_class)
    file = read_file(content, "readings.csv", options)
    digest = hashlib.sha256(content).hexdigest()
    analysis = analyse_readings(file, options, sha256=digest, cases=cases)
    return KeptAnalysis(table_of(file, options), analysis, digest, cases)


def _cases(connection: Connection, study: Study) -> CaseCharacteristics:
    """Return the cases' characteristics, by the rules by which `reread analyse` reads cases.csv."""
    header = [
        "case_id",
        "truth",
        "reference_source",
        "age",
        "sex",
        "anatomical_site",
        "fitzpatrick",
    ]
    rows: list[list[object]] = [
        [c.code, c.truth, c.reference_source, c.age, c.sex, c.anatomical_site, c.fitzpatrick]
        for c in results.case_characteristics(connection, study.id)
    ]
    shown = [["" if cell is None else cell for cell in row] for row in rows]
    return read_characteristics(table_csv(header, shown), "cases.csv")


def _parted(kept: KeptAnalysis, study: Study, column: str) -> KeptAnalysis:
    """Return the analysis with its subgroups, made once for each column."""

    def make() -> KeptAnalysis:
        analysis = with_subgroups_of_cases(kept.analysis, kept.table, kept.cases, column)
        return replace(kept, analysis=analysis)

    return _kept.get((study.id, kept.file_sha256, study.positive_class, column), make)


def record_look(
    connection: Connection, *, study: Study | AuditedStudy, what: str, by: Account
) -> None:
    """Write down that somebody saw results joined with truth."""
    results.record_event(
        connection,
        study=study.id,
        action="results.viewed",
        details={"what": what, "data_sha256": study.data_sha256, "by": str(by.id)},
    )
