"""Prove a pack from its files alone: nothing altered, nobody saw the AI before the lock.

Checked one against the other: every file against manifest.json, all of them against the log's
own event of the export, the tables against the log cell by cell, and what follows from the
readings against the readings. What this cannot show is a log that was made anew as a whole: give
the head noted at the export as the anchor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.actions.pack.check import NOT_THE_FILE, Check
from app.actions.pack.check_derived import check_derived
from app.actions.pack.check_log import check_against_log
from app.actions.pack.codebook import TABLES
from app.actions.pack.derived import FROM_READINGS
from app.actions.pack.manifest import Manifest, parse_manifest
from app.actions.pack.source import PackSource, digest_of, open_pack, read_whole
from app.actions.pack.texts import TEXTS
from app.domain.anchor_file import parse_anchor
from app.domain.audit_chain import Anchor, AuditEvent, ChainReport, event_from_json, verify_chain
from app.domain.errors import InvalidInput
from app.signing import is_signed

LOG = "audit.jsonl"
NEEDED = {
    *TABLES,
    *FROM_READINGS,
    *TEXTS,
    LOG,
    "study.json",
    "results.json",
    "codebook.csv",
    "README.md",
    "load.R",
    "load.py",
}


@dataclass(frozen=True)
class Verdict:
    """What was checked, in sentences, and what is wrong; no problems means proven."""

    checked: tuple[str, ...]
    problems: tuple[str, ...]
    head: Anchor  # to be noted outside as the anchor of the next check


def study_of_pack(path: Path) -> str:
    """Return the short name of the study that a pack says it is of; raises InvalidInput."""
    with open_pack(path) as source:
        return _manifest(source, path).study


def verify_pack(
    path: Path,
    *,
    anchors: Iterable[Anchor] = (),
    kept: Iterable[Anchor] = (),
    public_key: str | None = None,
) -> Verdict:
    """Check a pack, folder or ZIP file; raises InvalidInput where it is none.

    Every one of `anchors` must be in the pack's log. Of `kept`, heads noted over time, those that
    are later than the pack are left out: an earlier export is no cut log, as it ends with its own
    event. With `public_key` the head must be signed by that key.
    """
    with open_pack(path) as source:
        manifest = _manifest(source, path)
        missing = sorted(NEEDED - manifest.files.keys())
        if missing:
            raise InvalidInput(f"manifest.json does not name {', '.join(missing)}: no pack.")
        check = Check(source, manifest)
        _check_files(check)
        _check_signature(check, public_key)
        report = ChainReport()
        if LOG in check.digests:
            report = _check_log(check, tuple(anchors), tuple(kept))
        if "readings.csv" in check.digests:
            check_derived(check)
    return Verdict(tuple(check.checked), tuple(check.problems), Anchor(report.events, report.head))


def said(report: ChainReport, anchors: Iterable[Anchor]) -> tuple[str, ...]:
    """Say what the check of a chain counted."""
    given = len(list(anchors))
    return (
        f"{report.events} events of the log: none missing, moved or altered",
        (
            f"{report.unaided} unaided calls, {report.reveals} reveals, {report.aided} aided "
            "calls: each reveal after its locked call, each aided call after its reveal"
        ),
        f"{given} anchors against the log"
        if given
        else "no anchor was given: a log that was made anew as a whole would not be noticed",
    )


def _check_files(check: Check) -> None:
    there = check.source.names - {"manifest.json"}
    expected = check.manifest.files
    check.problems += [f"{name}: it is missing" for name in sorted(expected.keys() - there)]
    check.problems += [f"{name}: it is not of the pack" for name in sorted(there - expected.keys())]
    for name in sorted(there & expected.keys()):
        check.digests[name] = digest_of(check.source, name)
        if check.digests[name] != expected[name]:
            check.problems.append(f"{name}: {NOT_THE_FILE} (SHA-256 differs from manifest.json)")
    check.checked.append(f"{len(expected)} files against manifest.json, none missing, none added")


def _check_signature(check: Check, public_key: str | None) -> None:
    manifest = check.manifest
    if not manifest.signature:
        if public_key:
            check.problems.append("manifest.json: its head is not signed")
        return
    key = public_key or manifest.public_key
    if not is_signed(key, manifest.study, parse_anchor(manifest.head), manifest.signature):
        check.problems.append(f"manifest.json: its head is not signed by {key}")
    elif public_key:
        check.checked.append("the head of the log is signed by the key that was given")
    else:
        check.checked.append(
            f"the head of the log is signed by {key}; compare it with the key that the "
            "installation made known, or give that one with --public-key"
        )


def _manifest(source: PackSource, path: Path) -> Manifest:
    if "manifest.json" not in source.names:
        raise InvalidInput(f"{path} is no pack of reread: it lacks manifest.json.")
    return parse_manifest(read_whole(source, "manifest.json"))


def _check_log(check: Check, anchors: tuple[Anchor, ...], kept: tuple[Anchor, ...]) -> ChainReport:
    events: list[AuditEvent] = []
    try:
        events = [event_from_json(line) for line in check.lines(LOG)]
    except UnicodeDecodeError:
        check.problems.append(f"{LOG}: it is not UTF-8 text")
        return ChainReport()
    except InvalidInput as refusal:
        check.problems.append(f"{LOG}: {refusal}")
        return ChainReport()
    length = len(events)
    used = (*anchors, *(anchor for anchor in kept if anchor.seq <= length))
    report = verify_chain(events, anchors=used)
    check.add(LOG, report.problems)
    if f"{report.events}:{report.head}" != check.manifest.head:
        check.problems.append("manifest.json: its head is not the last event of audit.jsonl")
    check.checked += said(report, used)
    later = len(anchors) + len(kept) - len(used)
    if later:
        check.checked.append(f"{later} anchors in the file are later than this pack: not used")
    if events and not report.problems:  # a log that does not hold tells nothing of the files
        check_against_log(check, events)
    return report
