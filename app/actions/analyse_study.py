"""The results of an unblinded study: the analysis of the very file that is exported."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from app.actions.analyse_file import AnalysisOptions, analyse_content, read_file, table_of
from app.actions.export_study import reader_code, readings_csv
from app.db import results
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import Conflict, NotFound
from app.statistics.figures import Form, roc_figure
from app.statistics.flow_figure import reclassification_figure
from app.statistics.study import StudyAnalysis
from app.statistics.study_figures import averaged_roc_figure, bars_figure, forest_figure
from app.statistics.table import ReadingTable

StudyFigure = Literal["averaged-roc", "forest", "bars"]


@dataclass(frozen=True)
class Results:
    """What the results page shows: numbers, and what they were computed from."""

    analysis: StudyAnalysis
    file_sha256: str
    reader_names: dict[str, str]
    simulated: frozenset[str]


def analyse_study(connection: Connection, *, study: Study, by: Account) -> Results:
    """Analyse an unblinded study; raises Conflict before unblinding, or without readings.

    Page, JSON and figure all come from the bytes of readings.csv, so `reread analyse` on the
    export gives the same numbers to the last digit. Every look is written down.
    """
    content = readings_csv(connection, study=study)
    if content.count(b"\n") < 2:  # noqa: PLR2004 - the header and one row
        raise Conflict("Nobody has read a case in this study: there is nothing to analyse.")
    digest = hashlib.sha256(content).hexdigest()
    names = results.reader_names(connection, study.id)
    found = Results(
        analysis=analyse_content(
            content, name="readings.csv", options=AnalysisOptions(positive=study.positive_class)
        ),
        file_sha256=digest,
        reader_names={reader_code(name.number): name.name for name in names},
        simulated=frozenset(reader_code(name.number) for name in names if name.simulated),
    )
    # Last: the event holds the chain's lock until the commit, and the analysis takes its time.
    record_look(connection, study=study, what="results", by=by)
    return found


def draw_roc(
    connection: Connection, *, study: Study, reader: str, form: Form, by: Account
) -> bytes:
    """Draw a reader's ROC figure of an unblinded study; raises NotFound for an unknown reader."""
    table = _table(readings_csv(connection, study=study), study)
    if reader not in table.readers:
        raise NotFound("There is no such reader in this study.")
    figure = roc_figure(table, reader, positive=study.positive_class, form=form)
    record_look(connection, study=study, what=f"figure of {reader}", by=by)
    return figure


def draw_changes(
    connection: Connection, *, study: Study, reader: str, form: Form, by: Account
) -> bytes:
    """Draw how a reader's calls moved; NotFound for a reader without calls in both modalities."""
    analysis = _analysis(readings_csv(connection, study=study), study)
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
    content = readings_csv(connection, study=study)
    try:
        if figure == "averaged-roc":
            table = _table(content, study)
            drawn = averaged_roc_figure(table, positive=study.positive_class, form=form)
        elif figure == "forest":
            drawn = forest_figure(_analysis(content, study), form=form)
        else:
            drawn = bars_figure(_analysis(content, study), form=form)
    except ValueError as refused:
        raise NotFound(str(refused)) from refused
    record_look(connection, study=study, what=f"figure {figure}", by=by)
    return drawn


def _table(content: bytes, study: Study) -> ReadingTable:
    options = AnalysisOptions(positive=study.positive_class)
    return table_of(read_file(content, "readings.csv", options), options)


def _analysis(content: bytes, study: Study) -> StudyAnalysis:
    # No figure shows a bootstrap interval.
    options = AnalysisOptions(positive=study.positive_class, bootstrap=0)
    return analyse_content(content, name="readings.csv", options=options)


def record_look(connection: Connection, *, study: Study, what: str, by: Account) -> None:
    """Write down that somebody saw results joined with truth."""
    results.record_event(
        connection,
        study=study.id,
        action="results.viewed",
        details={"what": what, "data_sha256": study.data_sha256, "by": str(by.id)},
    )
