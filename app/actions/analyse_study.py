"""The results of an unblinded study: the analysis of the very file that is exported."""

import hashlib
from dataclasses import dataclass

from app.actions.analyse_file import AnalysisOptions, analyse_content, read_file, table_of
from app.actions.export_study import reader_code, readings_csv
from app.db import results
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import Conflict, NotFound
from app.statistics.figures import Form, roc_figure
from app.statistics.study import StudyAnalysis


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
    options = AnalysisOptions(positive=study.positive_class)
    content = readings_csv(connection, study=study)
    table = table_of(read_file(content, "readings.csv", options), options)
    if reader not in table.readers:
        raise NotFound("There is no such reader in this study.")
    figure = roc_figure(table, reader, positive=study.positive_class, form=form)
    record_look(connection, study=study, what=f"figure of {reader}", by=by)
    return figure


def record_look(connection: Connection, *, study: Study, what: str, by: Account) -> None:
    """Write down that somebody saw results joined with truth."""
    results.record_event(
        connection,
        study=study.id,
        action="results.viewed",
        details={"what": what, "data_sha256": study.data_sha256, "by": str(by.id)},
    )
