"""Prove a study in the database: its chain, its tables against it, its orders, its guards.

What cannot be shown so is a log that was made anew as a whole: give an earlier head as the anchor.
"""

import json
from collections.abc import Iterable, Mapping

from app.actions.verify_pack import Verdict, said
from app.db.administrator import StudyRecords
from app.domain.audit_chain import Anchor, AuditEvent, verify_chain
from app.domain.logged_digest import NOT_FROZEN, data_sha256_of_log
from app.domain.logged_orders import orders_of_log
from app.domain.logged_rows import rows_of_log
from app.domain.logged_rules import broken_rules


def verify_study(records: StudyRecords, *, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Check a study in the database: its chain, its tables against it, its guards."""
    given = tuple(anchors)
    report = verify_chain(records.events, anchors=given)
    problems = list(report.problems)
    for table, held in records.rows.items():
        problems += _compare_table(table, held, records.events)
    problems += _compare_study(records)
    problems += _check_orders(records)
    problems += [f"the guard {name} is missing or switched off" for name in records.disabled_guards]
    rewritten = records.rewritten_functions
    problems += [
        f"the function {name} is not as the migrations wrote it" for name in rewritten or ()
    ]
    rows = sum(map(len, records.rows.values()))
    checked = (
        *said(report, given),
        f"{rows} rows of {len(records.rows)} tables against the log, by value and both ways",
        f"{len(records.orders)} readers' orders derived again from their seeds",
        "every guard of the database in its place and switched on"
        + ("" if rewritten is None else ", its functions as the migrations wrote them"),
    )
    return Verdict(checked, tuple(problems), Anchor(report.events, report.head))


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
    """Check that the study is what its last event made it, and froze what the log holds."""
    last = [event for event in records.events if event.action in {"study.insert", "study.update"}]
    if not last:
        return ["the study itself is not in the log"]
    logged = json.loads(last[-1].payload)
    held = logged["new"] if last[-1].action == "study.update" else logged
    problems: list[str] = []
    if not _holds(json.loads(records.study), held):
        problems.append("the study differs from its last event")
    if held["state"] == "unblinded":
        frozen = data_sha256_of_log(rows_of_log(records.events))
        if held["data_sha256"] != frozen:
            problems.append(f"the log: {NOT_FROZEN}")
    return problems


def _holds(row: Mapping[str, object], logged: Mapping[str, object]) -> bool:
    """Say whether a row still is what was logged; a later schema may have given it more columns."""
    return all(name in row and row[name] == value for name, value in logged.items())


def _check_orders(records: StudyRecords) -> list[str]:
    """Derive each order again from the log, and compare it with the stored one, arm and all."""
    try:
        logged = orders_of_log(records.events)
    except (ValueError, TypeError, KeyError) as fault:
        return [f"the log's events do not fit together ({fault!r})"]
    wrong = [
        f"the order of reader {stored.reader_id} does not follow from its seed"
        for stored in records.orders
        if stored.order != logged.orders.get(str(stored.reader_id))
        or stored.order_sha256 != logged.digests[str(stored.reader_id)]
    ]
    return [
        *logged.problems,
        *(problem for problem in wrong if problem not in logged.problems),
        *broken_rules(records.events, logged),
    ]
