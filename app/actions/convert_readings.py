"""The readings of a file as an iMRMC file, which other programs for reader studies read."""

from math import isnan

from app.actions.analyse_file import AnalysisOptions, table_of
from app.domain.errors import InvalidInput
from app.domain.readings_file import ReadingsFile
from app.domain.readings_imrmc import write_imrmc
from app.domain.readings_rows import Reading
from app.statistics.prepare import PrepareError, speaks_for_other, turned
from app.statistics.table import ReadingTable, TableError


def as_imrmc(file: ReadingsFile, options: AnalysisOptions) -> bytes:
    """Return the scored readings of all modalities; high scores speak for the positive class.

    The format has no place for calls. Scores of the other class are turned as an analysis turns
    them, so that both see the same areas. Raises InvalidInput.
    """
    try:
        table = table_of(file, options)
        other = next((each for each in table.classes if each != file.positive), "")
        readings = _scored(table, turn=speaks_for_other(table, file.positive, other))
        if not readings:
            raise InvalidInput("No reading carries a score, and an iMRMC file holds scores only.")
        title = f"Reader study, positive class {file.positive}: truth 1"
        return write_imrmc(readings, positive=file.positive, title=title).encode()
    except (PrepareError, TableError, ValueError) as refused:
        raise InvalidInput(str(refused)) from refused


def _scored(table: ReadingTable, *, turn: bool) -> list[Reading]:
    scores = turned(table.scores) if turn else table.scores  # (M, R, C)
    return [
        Reading(reader, case, table.classes[table.truth[c]], modality, None, score, None, None)
        for m, modality in enumerate(table.modalities)
        for r, reader in enumerate(table.readers)
        for c, case in enumerate(table.cases)
        if not isnan(score := float(scores[m, r, c]))
    ]
