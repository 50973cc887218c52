"""What the readers were told against what there is: the database, the log, the files."""

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

import psycopg

from app.db.administrator import StudyRecords, records_of
from app.domain.audit_chain import Anchor
from tests.torture.study import READ, SCORED
from tests.torture.told import Told


@dataclass(frozen=True)
class Outcome:
    """The end of a run; `clean` only when nothing at all is wrong."""

    acknowledged: int
    lost: int
    duplicate: int
    orphan: int
    unaudited: int
    chain: str  # "whole" or "BROKEN"
    broken: int  # answers that break a promise: AI before the lock, 500, another receipt

    @property
    def clean(self) -> bool:
        wrong = self.lost + self.duplicate + self.orphan + self.unaudited + self.broken
        return self.acknowledged > 0 and wrong == 0 and self.chain == "whole"

    def __str__(self) -> str:
        return (
            f"acknowledged {self.acknowledged}, lost {self.lost}, duplicate {self.duplicate}, "
            f"orphan {self.orphan}, unaudited {self.unaudited}, broken answers {self.broken}, "
            f"chain {self.chain}"
        )


def compare(url: str, told: Told, *, heads: list[Anchor], env: dict[str, str]) -> Outcome:
    """Compare everything; what is wrong is printed, a line each, the first twenty of a kind."""
    with psycopg.connect(url, options="-c search_path=reread") as owner:
        rows = owner.execute(
            """SELECT assignment_id::text, phase, call, confidence, submission_id::text
               FROM reading JOIN study s ON s.id = study_id WHERE s.code = %s""",
            [READ],
        ).fetchall()
        out_of_order = owner.execute(
            """SELECT r.assignment_id, r.phase FROM reading r
               WHERE NOT EXISTS (SELECT FROM served v WHERE v.assignment_id = r.assignment_id)
                  OR (r.phase = 'aided' AND NOT EXISTS
                      (SELECT FROM reveal v WHERE v.assignment_id = r.assignment_id))
               UNION ALL
               SELECT v.assignment_id, 'reveal' FROM reveal v WHERE NOT EXISTS
                   (SELECT FROM reading r WHERE r.assignment_id = v.assignment_id
                        AND r.phase = 'unaided')"""
        ).fetchall()
    held = {(row[0], row[1]): row for row in rows}
    lost = [
        f"told as saved, and not there: {sent}"
        for place, sent in told.saved.items()
        if held.get(place) != (sent.assignment, sent.phase, sent.call, sent.confidence,
                               sent.submission_id)
    ]  # fmt: skip
    twice = Counter((row[0], row[1]) for row in rows)
    twice.update(row[4] for row in rows)
    duplicate = [f"twice: {what}" for what, times in twice.items() if times > 1]
    orphan = [f"out of order: {row}" for row in out_of_order]
    orphan += [f"there, and never sent so: {row}" for row in rows if not _was_sent(told, row)]
    unaudited: list[str] = []
    chain = "whole"
    for study in (READ, SCORED):
        records = records_of(url, study)
        assert records is not None
        unaudited += _unaudited(records)
        if not _verifies(study, heads if study == READ else [], env):
            chain = "BROKEN"
    for kind in (lost, duplicate, orphan, unaudited, told.broken):
        for sentence in kind[:20]:
            print(f"WRONG: {sentence}")
    return Outcome(
        acknowledged=len(told.saved),
        lost=len(lost),
        duplicate=len(duplicate),
        orphan=len(orphan),
        unaudited=len(unaudited),
        chain=chain,
        broken=len(told.broken),
    )


def _was_sent(told: Told, row: tuple[object, ...]) -> bool:
    sent = told.sent.get(str(row[4]))
    return sent is not None and row[:4] == (
        sent.assignment, sent.phase, sent.call, sent.confidence
    )  # fmt: skip


def _unaudited(records: StudyRecords) -> list[str]:
    """Rows without their event, and events without their row."""
    logged = {(event.action, event.entity) for event in records.events}
    rows = {(f"{table}.insert", name) for table, held in records.rows.items() for name in held}
    inserts = {pair for pair in logged if pair[0].removesuffix(".insert") in records.rows}
    return [f"row or event alone: {pair}" for pair in rows ^ inserts]


def _verifies(study: str, heads: list[Anchor], env: dict[str, str]) -> bool:
    """`reread verify STUDY --files`, with heads of the log noted on the way as anchors."""
    anchors = [f"--anchor={head.seq}:{head.hash}" for head in heads[-20:]]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "app", "verify", study, "--files", *anchors],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"WRONG: reread verify {study}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return done.returncode == 0
