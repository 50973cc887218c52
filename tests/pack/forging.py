"""A forger's tools: change a pack, and cover it up as far as the forger goes."""

import csv
import hashlib
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app import __version__
from app.actions.analysis_report import html_report
from app.actions.pack.derived import FROM_READINGS, ParsedReadings, parse_pack_readings, results_of
from app.actions.pack.figures import planned_figures
from app.actions.pack.methods import methods_text
from app.actions.pack.texts import texts_of
from app.domain.audit_chain import (
    FIRST_PREVIOUS,
    AuditEvent,
    event_from_json,
    event_hash,
    event_to_json,
)
from app.domain.logged_rows import rows_of_log
from app.domain.study_facts import NEEDED_ACTIONS, study_facts

Chain = list[AuditEvent]
Rows = list[dict[str, str]]


def rehashed(events: Chain, start: int = 0) -> Chain:
    """Give every event from `start` on the hashes that follow: what a forger would do."""
    previous = events[start - 1].hash if start else FIRST_PREVIOUS
    made = events[:start]
    for event in events[start:]:
        digest = hashlib.sha256(event.payload.encode()).hexdigest()
        event = replace(event, previous_hash=previous, payload_sha256=digest)  # noqa: PLW2901
        event = replace(event, hash=event_hash(event))  # noqa: PLW2901
        made.append(event)
        previous = event.hash
    return made


def renumbered(events: Chain) -> Chain:
    return [replace(event, seq=number) for number, event in enumerate(events, start=1)]


class Forgery:
    """A copy of a pack that is changed."""

    def __init__(self, pack: Path, to: Path) -> None:
        self.folder = to / "forged"
        shutil.copytree(pack, self.folder)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def rewrite(self, name: str, change: Callable[[Rows], None]) -> None:
        """Change the rows of a table."""
        with (self / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        change(rows)
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        (self / name).write_text(out.getvalue(), newline="")

    def events(self) -> Chain:
        lines = (self / "audit.jsonl").read_text().removesuffix("\n").split("\n")
        return [event_from_json(line) for line in lines]

    def store(self, events: Chain) -> None:
        lines = [f"{event_to_json(event)}\n" for event in events]
        (self / "audit.jsonl").write_text("".join(lines))

    def digests(self) -> dict[str, str]:
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.name != "manifest.json"
        }

    def remake_derived(self) -> None:
        """Make again whatever follows from the tables and the log, as a careful forger would."""
        readings, cases = (self / "readings.csv").read_bytes(), (self / "cases.csv").read_bytes()
        parsed = parse_pack_readings(readings, positive="BCC")
        for name, make in FROM_READINGS.items():
            (self / name).write_bytes(make(readings, parsed))
        (self / "results.json").write_bytes(results_of(parsed, cases)[1])
        settings = json.loads((self / "study.json").read_text())

        def rows(name: str) -> Rows:
            return list(csv.DictReader(io.StringIO((self / name).read_text())))

        facts = study_facts(
            rows_of_log(event for event in self.events() if event.action in NEEDED_ACTIONS),
            study=settings["study"],
            models={model["id"]: model for model in settings["models"]},
            readers=rows("readers.csv"),
            results=json.loads((self / "results.json").read_text()),
            places=Counter((row["case_id"], row["arm"]) for row in rows("allocation.csv")),
            uncounted=Counter(
                row["not_counted_because"] for row in rows("readings_not_counted.csv")
            ),
            software_version=__version__,
        )
        for name, text in texts_of(facts):
            (self / name).write_text(text)
        self.remake_report(parsed, cases, methods_text(facts))

    def remake_report(self, parsed: ParsedReadings, cases: bytes, methods: str) -> None:
        results, _ = results_of(parsed, cases)
        if results is not None:
            figures = [
                (figure.shows, (self / figure.name).read_bytes())
                for figure in planned_figures(parsed, results)
                if figure.name.endswith(".svg") and (self / figure.name).exists()
            ]
            (self / "report.html").write_text(html_report(results, figures, methods=methods))

    def remake_manifest(self) -> None:
        """Cover up in manifest.json."""
        manifest = json.loads((self / "manifest.json").read_text())
        last = self.events()[-1]
        manifest |= {"files": self.digests(), "head": f"{last.seq}:{last.hash}"}
        (self / "manifest.json").write_text(json.dumps(manifest, indent=2))

    def remake_export(self) -> None:
        """Cover up in the log as well: its last event, the export, is made anew."""
        events = self.events()
        digests = {name: digest for name, digest in self.digests().items() if name != "audit.jsonl"}
        payload = json.dumps(json.loads(events[-1].payload) | {"files": digests})
        events[-1] = replace(events[-1], payload=payload)
        self.store(rehashed(events, start=len(events) - 1))
        self.remake_manifest()
