"""Prove that nothing was altered and nobody saw the AI before the lock.

Two ways: an exported folder, checked offline from its files alone; and a study in the database,
where the log is also compared with the tables. What neither can show alone is a log that was made
anew as a whole: give the head of an earlier export as the anchor.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from app.actions.export_study import safe_cell
from app.db.administrator import StoredOrder, StudyRecords
from app.domain.allocation import ALGORITHM, order_cases, order_digest
from app.domain.audit_chain import (
    Anchor,
    AuditEvent,
    ChainReport,
    event_from_json,
    verify_chain,
)
from app.domain.errors import InvalidInput
from app.domain.logged_readings import readings_of_log

FILES = {"manifest.json", "audit.jsonl", "readings.csv", "codebook.csv"}


@dataclass(frozen=True)
class Verdict:
    """What was checked, in sentences, and what is wrong; no problems means proven."""

    checked: tuple[str, ...]
    problems: tuple[str, ...]
    head: Anchor  # to be noted outside as the anchor of the next check


def verify_export(folder: Path, *, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Check the files that `reread export` wrote, without any database."""
    files = _files(folder)
    digests = _digests(files["manifest.json"])
    problems = [
        f"{name} is not the file that was exported (SHA-256 differs from manifest.json)"
        for name, digest in digests.items()
        if hashlib.sha256(files[name]).hexdigest() != digest
    ]
    events = [event_from_json(line) for line in _text(files["audit.jsonl"]).splitlines()]
    report = verify_chain(events, anchors=anchors)
    problems += report.problems
    rows = list(csv.DictReader(io.StringIO(_text(files["readings.csv"]))))
    if not report.problems:  # a log that does not hold tells nothing of the file
        problems += _compare_file(rows, events)
    checked = (
        f"{len(digests)} files against manifest.json",
        *_said(report),
        f"{len(rows)} rows of readings.csv against the log, cell by cell and both ways",
    )
    return Verdict(checked, tuple(problems), Anchor(report.events, report.head))


def verify_study(records: StudyRecords, *, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Check a study in the database: its chain, its tables against it, its guards."""
    report = verify_chain(records.events, anchors=anchors)
    problems = list(report.problems)
    for table, held in records.rows.items():
        problems += _compare_table(table, held, records.events)
    problems += _compare_study(records)
    cases = list(records.rows["study_case"])
    problems += [problem for order in records.orders for problem in _check_order(order, cases)]
    problems += [f"the guard {name} is missing or switched off" for name in records.disabled_guards]
    rows = sum(map(len, records.rows.values()))
    checked = (
        *_said(report),
        f"{rows} rows of {len(records.rows)} tables against the log, by value and both ways",
        f"{len(records.orders)} readers' orders derived again from their seeds",
        "every guard of the database in its place and switched on",
    )
    return Verdict(checked, tuple(problems), Anchor(report.events, report.head))


def _files(folder: Path) -> dict[str, bytes]:
    missing = sorted(name for name in FILES if not (folder / name).is_file())
    if missing:
        raise InvalidInput(f"{folder} is no export: it lacks {', '.join(missing)}.")
    return {name: (folder / name).read_bytes() for name in FILES}


def _said(report: ChainReport) -> tuple[str, ...]:
    return (
        f"{report.events} events of the log: none missing, moved or altered",
        (
            f"{report.unaided} unaided calls, {report.reveals} reveals, {report.aided} aided "
            "calls: each reveal after its locked call, each aided call after its reveal"
        ),
    )


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as fault:
        raise InvalidInput("A file of the export is not UTF-8 text.") from fault


def _digests(manifest: bytes) -> dict[str, str]:
    """Return file -> SHA-256 as the manifest has them; it must name all the files."""
    try:
        digests = {str(name): str(text) for name, text in json.loads(manifest)["files"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise InvalidInput("manifest.json is not the manifest of an export.") from fault
    if set(digests) != FILES - {"manifest.json"}:
        raise InvalidInput("manifest.json does not name the files of an export.")
    return digests


def _compare_file(rows: list[dict[str, str]], events: list[AuditEvent]) -> list[str]:
    try:
        logged = readings_of_log(events)
    except (ValueError, TypeError, KeyError) as fault:
        return [f"the log's events do not fit together ({fault!r})"]
    problems = list(logged.problems)
    seen: set[str] = set()
    for row in rows:
        reading = row.get("reading_id", "")
        expected = logged.cells.get(reading)
        if expected is None:
            problems.append(f"reading {reading} is not in the log")
            continue
        if reading in seen:
            problems.append(f"reading {reading} stands twice in the file")
        seen.add(reading)
        problems += [
            f"reading {reading}: {column} is {row.get(column)!r}, the log says {str(value)!r}"
            for column, value in expected.items()
            if row.get(column) != str(safe_cell(value))
        ]
    return problems + [
        f"reading {lost} of the log is missing" for lost in logged.cells.keys() - seen
    ]


def _compare_table(table: str, rows: Mapping[str, str], events: list[AuditEvent]) -> list[str]:
    """Check that every row is as it was written, and none is lost: these tables only grow."""
    problems: list[str] = []
    logged: dict[str, str] = {}
    for event in events:
        if event.action == f"{table}.insert":
            if event.entity in logged:
                problems.append(f"event {event.seq}: a second {table} {event.entity}")
            logged[event.entity] = event.payload
    for name, row in rows.items():
        if name not in logged:
            problems.append(f"{table} {name} is not in the log")
        elif not _holds(json.loads(row), json.loads(logged[name])):
            problems.append(f"{table} {name} differs from what the log holds")
    return problems + [
        f"{table} {lost} of the log is missing" for lost in logged.keys() - rows.keys()
    ]


def _compare_study(records: StudyRecords) -> list[str]:
    """Check that the study is what its last event made it."""
    last = [event for event in records.events if event.action in {"study.insert", "study.update"}]
    if not last:
        return ["the study itself is not in the log"]
    logged = json.loads(last[-1].payload)
    held = logged["new"] if last[-1].action == "study.update" else logged
    same = _holds(json.loads(records.study), held)
    return [] if same else ["the study differs from its last event"]


def _holds(row: Mapping[str, object], logged: Mapping[str, object]) -> bool:
    """Say whether a row still is what was logged; a later schema may have given it more columns."""
    return all(name in row and row[name] == value for name, value in logged.items())


def _check_order(order: StoredOrder, cases: list[str]) -> list[str]:
    derived = order_cases(map(UUID, cases), seed=order.seed, reader=order.reader_id)
    if (
        order.algorithm == ALGORITHM
        and order.cases == derived
        and order_digest(derived) == order.order_sha256
    ):
        return []
    return [f"the order of reader {order.reader_id} does not follow from its seed"]
