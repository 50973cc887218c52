"""Check a chain of audit events: gapless, unaltered, and each reading's steps in order.

Each event's hash covers the one before it, as the database computed it (0001_first.sql,
append_event), so a change, a gap or a swap shows. A chain that was cut at its end, or made anew
as a whole, shows only against an earlier head kept elsewhere: give it as the anchor.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.domain.errors import InvalidInput

FIRST_PREVIOUS = "0" * 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ERASED = ("account.", "sign_in.", "sign_out.")  # events whose payload goes when a person is erased


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event as the log holds it; `payload` is the text that was hashed."""

    chain: UUID
    seq: int
    at: datetime
    transaction: int
    actor: str
    database_role: str
    action: str
    entity: str
    payload: str
    payload_sha256: str
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class Anchor:
    """A head of the chain noted outside: the hash of the event number `seq`."""

    seq: int
    hash: str


@dataclass
class ChainReport:
    """What a check found; `problems` empty means the chain holds."""

    events: int = 0
    head: str = FIRST_PREVIOUS
    unaided: int = 0
    reveals: int = 0
    aided: int = 0
    emptied: dict[int, str] = field(default_factory=dict[int, str])  # event -> whose account
    erased: set[str] = field(default_factory=set[str])
    problems: list[str] = field(default_factory=list[str])


def event_hash(event: AuditEvent) -> str:
    """Return the SHA-256 that this event must carry."""
    microseconds = (event.at - EPOCH) // timedelta(microseconds=1)
    fields = (
        "reread-audit-v1",
        event.previous_hash,
        str(event.chain),
        str(event.seq),
        str(microseconds),
        str(event.transaction),
        event.actor,
        event.database_role,
        event.action,
        event.entity,
        event.payload_sha256,
    )
    return hashlib.sha256(b"".join(_netstring(text) for text in fields)).hexdigest()


def verify_chain(events: Iterable[AuditEvent], *, anchors: Iterable[Anchor] = ()) -> ChainReport:
    """Check links, payloads, numbers, anchors and the order of each reading's steps."""
    report = ChainReport()
    expected = {anchor.seq: anchor.hash for anchor in anchors}
    steps: dict[str, set[str]] = {}
    chain: UUID | None = None
    for event in events:
        _check_link(event, report)
        if chain not in {None, event.chain}:
            report.problems.append(f"event {event.seq} is of another chain")
        chain = event.chain
        if expected.pop(event.seq, event.hash) != event.hash:
            report.problems.append(f"event {event.seq} is not the one that was anchored")
        _check_step(event, steps, report)
        report.events, report.head = event.seq, event.hash
    report.problems += [
        f"the payload of event {seq} is gone, and no erasure says why"
        for seq, account in report.emptied.items()
        if account not in report.erased
    ]
    report.problems += [f"the chain ends before the anchored event {seq}" for seq in expected]
    return report


def event_from_json(line: str) -> AuditEvent:
    """Read one line of an exported audit.jsonl; raises InvalidInput when it is none."""
    try:
        raw = json.loads(line)
        raw["chain"] = UUID(raw["chain"])
        raw["at"] = datetime.fromisoformat(raw["at"])
        event = AuditEvent(**raw)
        event_hash(event)  # every field is of its kind
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise InvalidInput("A line of audit.jsonl is no event of a log.") from fault
    return event


def event_to_json(event: AuditEvent) -> str:
    """Write one line of an exported audit.jsonl."""
    raw = {field.name: getattr(event, field.name) for field in fields(event)}
    raw |= {"chain": str(event.chain), "at": event.at.isoformat()}
    return json.dumps(raw, ensure_ascii=False)


def _check_link(event: AuditEvent, report: ChainReport) -> None:
    if event.seq != report.events + 1:
        report.problems.append(f"event {report.events + 1} is missing before event {event.seq}")
    if event.previous_hash != report.head:
        report.problems.append(f"event {event.seq} does not follow the event before it")
    if event.action == "erasure.insert":
        report.erased.add(event.entity)
    if event.payload == "" and event.action.startswith(ERASED):
        # A person was erased: the event's hash covers the digest of what it said, so it holds.
        report.emptied[event.seq] = event.entity
    elif hashlib.sha256(event.payload.encode()).hexdigest() != event.payload_sha256:
        report.problems.append(f"the payload of event {event.seq} was altered")
    if event_hash(event) != event.hash:
        report.problems.append(f"event {event.seq} was altered")


def _check_step(event: AuditEvent, steps: dict[str, set[str]], report: ChainReport) -> None:
    """Order is proven by the numbers of the events, never by clocks."""
    if event.action not in {"served.insert", "reading.insert", "reveal.insert"}:
        return
    try:
        payload = json.loads(event.payload)
        assignment = str(payload["assignment_id"])
        step = payload["phase"] if event.action == "reading.insert" else event.action
        needs = _NEEDS[step]
    except (ValueError, TypeError, KeyError):
        report.problems.append(f"event {event.seq}: its payload is not a {event.action}")
        return
    report.unaided += step == "unaided"
    report.reveals += step == "reveal.insert"
    report.aided += step == "aided"
    seen = steps.setdefault(assignment, set())
    name = step.removesuffix(".insert")
    if needs and needs not in seen:
        before = needs.removesuffix(".insert")
        report.problems.append(f"event {event.seq}: {name} of {assignment} came before {before}")
    if step in seen:
        report.problems.append(f"event {event.seq}: a second {name} of {assignment}")
    seen.add(step)


# Each step of a reading and the one that must be in the log before it.
_NEEDS = {
    "served.insert": None,
    "unaided": "served.insert",
    "reveal.insert": "unaided",
    "aided": "reveal.insert",
}


def _netstring(text: str) -> bytes:
    data = text.encode()
    return b"%d:%s," % (len(data), data)
