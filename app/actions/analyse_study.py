"""The results of an unblinded study: the analysis of the very file that is exported."""

import hashlib
from dataclasses import dataclass

from app.actions.analyse_file import AnalysisOptions, analyse_content
from app.actions.export_study import reader_code, readings_csv
from app.db import results
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import Conflict
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
    if results.current_data_sha256(connection, study.id) != study.data_sha256:
        raise Conflict(
            "The readings are no longer those that were frozen at unblinding. Results are "
            "withheld; run `reread verify` and keep this database as it is."
        )
    if content.count(b"\n") < 2:  # noqa: PLR2004 - the header and one row
        raise Conflict("Nobody has read a case in this study: there is nothing to analyse.")
    digest = hashlib.sha256(content).hexdigest()
    results.record_event(
        connection,
        study=study.id,
        action="results.viewed",
        details={"file_sha256": digest, "by": str(by.id)},
    )
    names = results.reader_names(connection, study.id)
    return Results(
        analysis=analyse_content(
            content, name="readings.csv", options=AnalysisOptions(positive=study.positive_class)
        ),
        file_sha256=digest,
        reader_names={reader_code(name.number): name.name for name in names},
        simulated=frozenset(reader_code(name.number) for name in names if name.simulated),
    )
