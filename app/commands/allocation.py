"""The command that derives every reader's order again."""

import argparse
from pathlib import Path

from app.actions.pack.source import open_pack, read_whole
from app.db.administrator import records_of
from app.domain.allocation import Assigned
from app.domain.audit_chain import AuditEvent, event_from_json
from app.domain.errors import InvalidInput, NotFound
from app.domain.logged_orders import LoggedOrders, orders_of_log
from app.running import running
from app.settings import Settings


def allocation(arguments: argparse.Namespace, settings: Settings) -> int:
    """Derive the orders of a pack or a study from its log; print each digest."""
    path = Path(arguments.target)
    if path.is_file() or (path / "manifest.json").is_file():
        with open_pack(path) as source:
            lines = read_whole(source, "audit.jsonl").decode().splitlines()
        return _say([event_from_json(line) for line in lines], stored=None)
    with running(settings) as on:
        records = records_of(on.administrator_url, arguments.target)
    if records is None:
        raise NotFound(f"{arguments.target} is neither a pack nor a study.")
    stored = {str(order.reader_id): order.order for order in records.orders}
    return _say(records.events, stored=stored)


def _say(events: list[AuditEvent], *, stored: dict[str, list[Assigned]] | None) -> int:
    try:
        logged = orders_of_log(events)
    except (ValueError, TypeError, KeyError) as fault:
        raise InvalidInput(f"The log's events do not fit together ({fault!r}).") from fault
    problems = list(logged.problems)
    for reader, order in logged.orders.items():
        print(f"reader {reader}: {len(order)} readings, SHA-256 {_digests(logged, reader)}")
        if stored is not None and stored.get(reader) != order:
            problems.append(f"the stored order of reader {reader} is another")
    for problem in problems:
        print(f"PROBLEM: {problem}")
    if not logged.orders:
        print("No order has been drawn yet.")
    print("Something is wrong." if problems else "Every order follows from its seed.")
    return 1 if problems else 0


def _digests(logged: LoggedOrders, reader: str) -> str:
    """Return the digest of each part of an order; with its positions where there are several."""
    parts = [(1, logged.digests[reader]), *logged.appended.get(reader, [])]
    if len(parts) == 1:
        return parts[0][1]
    ends = [first - 1 for first, _digest in parts[1:]] + [len(logged.orders[reader])]
    return ", ".join(
        f"{digest} ({first} to {last})" for (first, digest), last in zip(parts, ends, strict=True)
    )
