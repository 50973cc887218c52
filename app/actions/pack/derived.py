"""The files of a pack that follow from readings and cases; `reread verify` makes them again."""

import csv
import io
import json
from collections.abc import Callable, Iterator

from app.actions.analyse_file import AnalysisOptions, analyse_content
from app.actions.analyse_file import as_text as results_text
from app.actions.convert_readings import as_imrmc
from app.actions.describe_cases import read_characteristics
from app.actions.pack.tables import csv_chunks
from app.domain.errors import InvalidInput
from app.domain.wide_readings import WIDE, wide_rows
from app.statistics.study import StudyAnalysis


def wide_chunks(readings: bytes) -> Iterator[bytes]:
    """Write readings-wide.csv."""
    rows = csv.DictReader(io.TextIOWrapper(io.BytesIO(readings), "utf-8", newline=""))
    return csv_chunks([column.name for column in WIDE], wide_rows(rows))


def results_of(
    readings: bytes, cases: bytes, *, positive: str
) -> tuple[StudyAnalysis | None, bytes]:
    """Return the results and the bytes of results.json; a refusal is written as such.

    `cases` are the bytes of cases.csv, for the baseline table.
    """
    try:
        found = analyse_content(
            readings,
            name="readings.csv",
            options=AnalysisOptions(positive=positive),
            cases=read_characteristics(cases, "cases.csv"),
        )
    except InvalidInput as refusal:
        return None, _refused(refusal)
    return found, results_text(found).encode()


def imrmc_of(readings: bytes, *, positive: str) -> bytes:
    """Return readings.imrmc; where none can be made, a text that says why."""
    try:
        return as_imrmc(readings, "readings.csv", AnalysisOptions(positive=positive))
    except InvalidInput as refusal:
        return f"There is no iMRMC file: {refusal}\n".encode()


def _refused(refusal: InvalidInput) -> bytes:
    return (json.dumps({"refused": str(refusal)}, indent=2, ensure_ascii=False) + "\n").encode()


# Text files that must be byte for byte what the readings make of them.
FROM_READINGS: dict[str, Callable[[bytes, str], bytes]] = {
    "readings-wide.csv": lambda readings, _positive: b"".join(wide_chunks(readings)),
    "readings.imrmc": lambda readings, positive: imrmc_of(readings, positive=positive),
}
