"""Prove that nothing was altered and nobody saw the AI before the lock.

Two ways: an exported folder, checked offline from its files alone; and a study in the database,
where the log is also compared with the tables. What neither can show alone is a log that was made
anew as a whole: give the head of an earlier export as the anchor.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.db.administrator import StudyRecords
from app.domain.audit_chain import (
    Anchor,
    ChainReport,
    event_from_json,
    readings_logged,
    verify_chain,
)
from app.domain.errors import InvalidInput

COMPARED = ("call", "confidence")  # columns of readings.csv that the log holds word for word


@dataclass(frozen=True)
class Verdict:
    """What was checked, in sentences, and what is wrong; no problems means proven."""

    checked: tuple[str, ...]
    problems: tuple[str, ...]
    head: Anchor  # to be noted outside as the anchor of the next check


def verify_export(folder: Path, *, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Check the files that `reread export` wrote, without any database."""
    files = _files(folder)
    manifest = json.loads(files["manifest.json"])
    problems = [
        f"{name} is not the file that was exported (SHA-256 differs from manifest.json)"
        for name, digest in manifest["files"].items()
        if hashlib.sha256(files[name]).hexdigest() != digest
    ]
    events = [event_from_json(line) for line in files["audit.jsonl"].decode().splitlines()]
    report = verify_chain(events, anchors=anchors)
    rows = list(csv.DictReader(io.StringIO(files["readings.csv"].decode())))
    problems += report.problems + _compare(rows, readings_logged(events))
    checked = (
        f"{len(manifest['files'])} files against manifest.json",
        *_said(report),
        f"{len(rows)} rows of readings.csv against the log, both ways",
    )
    return Verdict(checked, tuple(problems), Anchor(report.events, report.head))


def verify_study(records: StudyRecords, *, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Check a study in the database: its chain, its tables against it, its guards."""
    report = verify_chain(records.events, anchors=anchors)
    problems = list(report.problems)
    problems += _compare(records.readings, readings_logged(records.events))
    logged: dict[str, int] = {}
    for event in records.events:
        table, _, verb = event.action.partition(".")
        if verb == "insert":
            logged[table] = logged.get(table, 0) + 1
    for table, rows in records.rows.items():
        if rows != logged.get(table, 0):
            problems.append(f"table {table} has {rows} rows, the log has {logged.get(table, 0)}")
    problems += [f"the guard {name} is missing or switched off" for name in records.disabled_guards]
    checked = (
        *_said(report),
        f"{len(records.readings)} readings against the log, both ways",
        f"{len(records.rows)} tables against the log by number of rows",
        "every guard of the database switched on",
    )
    return Verdict(checked, tuple(problems), Anchor(report.events, report.head))


def _files(folder: Path) -> dict[str, bytes]:
    names = ("manifest.json", "audit.jsonl", "readings.csv", "codebook.csv")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InvalidInput(f"{folder} is no export: it lacks {', '.join(missing)}.")
    return {name: (folder / name).read_bytes() for name in names}


def _said(report: ChainReport) -> tuple[str, ...]:
    return (
        f"{report.events} events of the log: none missing, moved or altered",
        (
            f"{report.unaided} unaided calls, {report.reveals} reveals, {report.aided} aided "
            "calls: each reveal after its locked call, each aided call after its reveal"
        ),
    )


def _compare(rows: Iterable[dict[str, Any]], logged: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    seen: set[str] = set()
    for row in rows:
        reading = row["reading_id"]
        seen.add(reading)
        entry = logged.get(reading)
        if entry is None:
            problems.append(f"reading {reading} is not in the log")
        elif any(str(row[name]) != str(entry[name]) for name in COMPARED):
            problems.append(f"reading {reading} differs from what the log holds")
    problems += [f"reading {lost} of the log is missing" for lost in logged.keys() - seen]
    return problems
