"""The files of a pack that follow from readings and cases; `reread verify` makes them again."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.actions.analyse_file import AnalysisOptions, analyse_readings, read_file
from app.actions.analyse_file import as_text as results_text
from app.actions.convert_readings import as_imrmc
from app.actions.describe_cases import read_characteristics
from app.actions.pack.tables import csv_chunks
from app.domain.errors import InvalidInput
from app.domain.readings_file import ReadingsFile
from app.domain.wide_readings import WIDE, wide_rows
from app.statistics.study import StudyAnalysis


@dataclass(frozen=True)
class ParsedReadings:
    """readings.csv, parsed once for all that follows from it: its rows, or why there are none."""

    sha256: str
    options: AnalysisOptions
    found: ReadingsFile | InvalidInput


def parse_pack_readings(readings: bytes, *, positive: str) -> ParsedReadings:
    """Parse the bytes of readings.csv; a refusal is kept, for the pack says it."""
    options = AnalysisOptions(positive=positive)
    try:
        found = read_file(readings, "readings.csv", options)
    except InvalidInput as refusal:
        found = refusal
    return ParsedReadings(hashlib.sha256(readings).hexdigest(), options, found)


def wide_chunks(readings: bytes) -> Iterator[bytes]:
    """Write readings-wide.csv."""
    rows = csv.DictReader(io.TextIOWrapper(io.BytesIO(readings), "utf-8", newline=""))
    return csv_chunks([column.name for column in WIDE], wide_rows(rows))


def results_of(parsed: ParsedReadings, cases: bytes) -> tuple[StudyAnalysis | None, bytes]:
    """Return the results and the bytes of results.json; a refusal is written as such.

    `cases` are the bytes of cases.csv, for the baseline table.
    """
    if isinstance(parsed.found, InvalidInput):
        return None, _refused(parsed.found)
    try:
        found = analyse_readings(
            parsed.found,
            parsed.options,
            sha256=parsed.sha256,
            cases=read_characteristics(cases, "cases.csv"),
        )
    except InvalidInput as refusal:
        return None, _refused(refusal)
    return found, results_text(found).encode()


def imrmc_of(parsed: ParsedReadings) -> bytes:
    """Return readings.imrmc; where none can be made, a text that says why."""
    if isinstance(parsed.found, InvalidInput):
        return _no_imrmc(parsed.found)
    try:
        return as_imrmc(parsed.found, parsed.options)
    except InvalidInput as refusal:
        return _no_imrmc(refusal)


def _no_imrmc(refusal: InvalidInput) -> bytes:
    return f"There is no iMRMC file: {refusal}\n".encode()


def _refused(refusal: InvalidInput) -> bytes:
    return (json.dumps({"refused": str(refusal)}, indent=2, ensure_ascii=False) + "\n").encode()


# Text files that must be byte for byte what the readings make of them.
FROM_READINGS: dict[str, Callable[[bytes, ParsedReadings], bytes]] = {
    "readings-wide.csv": lambda readings, _parsed: b"".join(wide_chunks(readings)),
    "readings.imrmc": lambda _readings, parsed: imrmc_of(parsed),
}
