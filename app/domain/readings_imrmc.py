"""iMRMC files as raw rows, and readings as an iMRMC file.

The format: a free header, a line `BEGIN DATA:`, then `readerID,caseID,modalityID,score` per row;
a row `truth,<case>,truth,0|1` gives each case's reference (the Java program also takes `-1` for
the reader, and 0 for the modality, of these rows). No (reader, case, modality) occurs twice.
"""

import re
from collections.abc import Iterable

from app.domain.readings_rows import Problems, RawRow, Reading

BEGIN = "BEGIN DATA:"
TRUTH_READERS = frozenset({"truth", "-1"})
HEADERS = {"reader": "readerID", "case": "caseID", "modality": "modalityID", "score": "score"}
_FIELDS = 4


def is_imrmc(text: str) -> bool:
    """Whether the text is an iMRMC file."""
    return re.search(rf"^\s*{BEGIN}", text, re.IGNORECASE | re.MULTILINE) is not None


def imrmc_rows(text: str, problems: Problems) -> list[RawRow]:
    """Read an iMRMC file; a case without truth row, or with two, is a problem."""
    truth: dict[str, str] = {}
    readings: list[tuple[int, list[str]]] = []
    begun = False
    for line, content in enumerate(text.splitlines(), start=1):
        if not begun:
            begun = content.strip().upper().startswith(BEGIN)
            continue
        if not content.strip():
            continue
        record = [part.strip() for part in content.split(",")]
        if len(record) != _FIELDS:
            problems.add(f"The row has {len(record)} fields, not {_FIELDS}.", line)
        elif record[0].casefold() in TRUTH_READERS:
            if record[1] in truth:
                problems.add(f"A second truth row for case {record[1]}.", line, "caseID")
            truth[record[1]] = record[3]
        else:
            readings.append((line, record))
    rows: list[RawRow] = []
    for line, (reader, case, modality, score) in readings:
        if case not in truth:
            problems.add(f"Case {case} has no truth row.", line, "caseID")
            continue
        texts = {"reader": reader, "case": case, "modality": modality, "score": score}
        rows.append(RawRow(line, texts | {"truth": truth[case]}, HEADERS))
    return rows


def write_imrmc(readings: Iterable[Reading], *, positive: str, title: str = "Reader study") -> str:
    """Write scored readings as an iMRMC file; readings without a score are left out.

    ValueError for an id with a comma or a blank, which the format cannot hold, and for a reader
    named as the rows of the truth are.
    """
    scored = [reading for reading in readings if reading.score is not None]
    truth = {reading.case: int(reading.truth == positive) for reading in scored}
    for name in {part for reading in scored for part in reading[:2]} | {
        reading.modality for reading in scored
    }:
        if re.search(r"[,\s]", name):
            raise ValueError(f"An iMRMC file cannot hold the name {name!r}: comma or blank.")
    for reader in {reading.reader for reading in scored}:
        if reader.casefold() in TRUTH_READERS:
            raise ValueError(f"An iMRMC file cannot hold a reader named {reader!r}.")
    counts = (
        ("N0", list(truth.values()).count(0)),
        ("N1", list(truth.values()).count(1)),
        ("NR", len({reading.reader for reading in scored})),
        ("NM", len({reading.modality for reading in scored})),
    )
    lines = [title, *(f"{name}: {count}" for name, count in counts), BEGIN]
    lines += [f"truth,{case},truth,{value}" for case, value in sorted(truth.items())]
    lines += [
        f"{reading.reader},{reading.case},{reading.modality},{reading.score!r}"
        for reading in sorted(scored, key=lambda reading: (reading[0], reading[3], reading[1]))
    ]
    return "\n".join(lines) + "\n"
