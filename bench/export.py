"""How long the pack of a large study takes to write and to verify, and how much memory.

Builds a study (generated pictures; simulated readings in bulk, with their log), then writes
the pack and verifies it, each in a process of its own, whose largest size is read from the system.
The baseline, in the same run: Postgres's own COPY of the same rows, and the pack's results and
figures computed from its tables, which no export can do without. The last line is one JSON object.

Run: `make bench-export` or `.venv/bin/python bench/export.py [--readers 20] [--cases 707]`;
building takes a few minutes.
"""

# ruff: noqa: E402 - the path comes before the imports

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

import psycopg
from psycopg import sql

from app.actions.design_study import close_study, unblind_study
from app.actions.draw_orders import enrol_reader
from app.actions.export_pack import export_pack
from app.actions.pack.derived import parse_pack_readings, results_of
from app.actions.pack.figures import draw_figures
from app.actions.pack.source import open_pack, read_whole
from app.actions.verify_pack import verify_pack
from app.db import accounts
from app.db.embedded import embedded_postgres
from app.db.migrate import migrate
from app.db.session import Database, Role
from app.domain.access import Account, AccountRole
from app.storage import Storage
from bench.results_page import found, prepare

RATIO = 2  # times the baseline that an export may take
GROWTH = 128  # MiB by which the process that exports may grow
TABLES = (
    "audit_event",
    "reading",
    "served",
    "reveal",
    "assignment",
    "allocation",
    "study_case",
    "reference_diagnosis",
    "image",
    "prediction",
    "case_prediction",
    "viewing",
)
# The steps of all readings, each in one statement: what the reading room writes row by row.
# Truth is hit four times of five, with the model a little more often; nobody read anything.
STEPS = (
    """INSERT INTO served (assignment_id, study_id, reader_id, position, protocol_version)
       SELECT id, study_id, reader_id, position, 1 FROM assignment ORDER BY reader_id, position""",
    """INSERT INTO reading (assignment_id, study_id, reader_id, phase, call, confidence,
           submission_id, active_milliseconds, protocol_version)
       SELECT a.id, a.study_id, a.reader_id, 'unaided',
           CASE WHEN (random() < 0.78) = (d.diagnosis = 'BCC') THEN 'BCC' ELSE 'SK' END,
           floor(random() * 101), gen_random_uuid(), 9000, 1
       FROM assignment a JOIN reference_diagnosis d ON d.case_id = a.case_id""",
    """INSERT INTO reveal (assignment_id, study_id, reader_id, case_id, case_prediction_id,
           software_version)
       SELECT a.id, a.study_id, a.reader_id, a.case_id, p.id, 'bench'
       FROM assignment a JOIN case_prediction p ON p.case_id = a.case_id""",
    """INSERT INTO reading (assignment_id, study_id, reader_id, phase, call, confidence,
           submission_id, active_milliseconds, protocol_version)
       SELECT a.id, a.study_id, a.reader_id, 'aided',
           CASE WHEN (random() < 0.84) = (d.diagnosis = 'BCC') THEN 'BCC' ELSE 'SK' END,
           floor(random() * 101), gen_random_uuid(), 4000, 1
       FROM assignment a JOIN reference_diagnosis d ON d.case_id = a.case_id""",
    """INSERT INTO viewing (reading_id, study_id, reader_id, map_milliseconds)
       SELECT id, study_id, reader_id, 1500 FROM reading WHERE phase = 'aided'""",
)


def main() -> None:
    """Build, write, verify, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--cases", type=int, default=707)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reread-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded_postgres(folder / "data") as url:
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute("ALTER SYSTEM SET fsync = off")
                owner.execute("SELECT pg_reload_conf()")
            migrate(url, secret=None)
            database = Database(url, secret=None)
            storage = Storage(folder / "files")
            cora = prepare(database, url, storage, asked.cases)
            read(database, url, cora, asked.readers)
            database.close()
            pack = folder / "pack.zip"
            print(f"{asked.cases} cases x {asked.readers} readers")
            bare = measured(
                "without overlays", write, url, folder, cora, folder / "bare.zip", False
            )
            export = measured("export", write, url, folder, cora, pack, True)
            again = measured("export again", write, url, folder, cora, folder / "again.zip", True)
            copied = shortest("COPY of the same rows", copy_rows, url, folder / "rows")
        computed = shortest("results and figures alone", compute, pack)
        check = shortest("verify", verify, pack)
        same = pack.read_bytes() == (folder / "again.zip").read_bytes()
        baseline = copied.seconds + computed.seconds
        best = min(export.seconds, again.seconds)
        result = {
            "cases": asked.cases,
            "readers": asked.readers,
            "zip_mb": round(pack.stat().st_size / 1e6, 1),
            "same_bytes_again": same,
            "seconds": {
                "export": export.seconds,
                "export_again": again.seconds,
                "export_without_overlays": bare.seconds,
                "verify": check.seconds,
                "copy_of_the_same_rows": copied.seconds,
                "results_and_figures_alone": computed.seconds,
            },
            "growth_mib": {"export": export.growth, "verify": check.growth},
            "ratio_export_to_baseline": round(best / baseline, 2),
            "ratio_verify_to_baseline": round(check.seconds / baseline, 2),
            "ratio_of_processor_time": round(
                min(export.processor, again.processor) / (copied.processor + computed.processor), 2
            ),
            "holds": same and best <= RATIO * baseline and export.growth <= GROWTH,
        }
    print(json.dumps(result))


def read(database: Database, url: str, cora: Account, readers: int) -> None:
    """Let simulated readers have read all cases, in bulk, and unblind the study."""
    study = found(database, cora)
    for number in range(1, readers + 1):
        with database.begin(Role.ACCOUNT, actor=None) as connection:
            reader = accounts.insert_account(
                connection,
                email=f"simulated-{number}@{study.code}.invalid",
                name=f"Simulated reader {number}",
                role=AccountRole.READER,
                password_hash=None,
                simulated=True,
            )
            enrol_reader(connection, study=study.id, reader=reader)
    with psycopg.connect(url, autocommit=True, options="-c search_path=reread") as owner:
        # The guards ask of one reader at a time; the log is written as ever.
        guards = owner.execute(
            """SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal
               AND tgname LIKE 'guard%' AND tgrelid IN ('served'::regclass, 'reading'::regclass,
                   'reveal'::regclass, 'viewing'::regclass)"""
        ).fetchall()
        for table, guard in guards:
            owner.execute(switched("DISABLE", table, guard))
        owner.execute("SELECT setseed(0.5)")
        for number, step in enumerate(STEPS, start=1):
            print(f"  step {number} of {len(STEPS)}", file=sys.stderr, flush=True)
            owner.execute(step)
        for table, guard in guards:
            owner.execute(switched("ENABLE ALWAYS", table, guard))
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        close_study(connection, study=found(database, cora), by=cora)
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        unblind_study(connection, study=found(database, cora), reason="To measure.", by=cora)


def switched(how: Literal["DISABLE", "ENABLE ALWAYS"], table: str, guard: str) -> sql.Composed:
    """Return the statement that switches a guard off or on."""
    names = sql.Identifier(table), sql.SQL(how), sql.Identifier(guard)
    return sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(*names)


@dataclass(frozen=True)
class Cost:
    """What a piece of work cost: seconds, and MiB by which its process grew."""

    seconds: float
    processor: float  # seconds of its own process, without the database's
    growth: int


def shortest(what: str, work: Callable[..., None], *given: object) -> Cost:
    """Return the shorter of two runs: other work on the machine only lengthens."""
    return min((measured(what, work, *given) for _ in range(2)), key=lambda cost: cost.seconds)


def measured(what: str, work: Callable[..., None], *given: object) -> Cost:
    """Run the work in a fresh process; print and return its seconds and how it grew."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=timed, args=(there, work, given))
    process.start()
    there.close()
    try:
        seconds, processor, before, after = here.recv()
    except EOFError:
        sys.exit(f"{what} failed")
    process.join()
    print(f"{what}: {seconds:.1f} s, at most {after} MiB ({before} at start)", flush=True)
    return Cost(round(seconds, 2), round(processor, 2), after - before)


def timed(answer: Connection, work: Callable[..., None], given: tuple[object, ...]) -> None:
    """Do the work and send what it cost."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, busy = time.perf_counter(), time.process_time()
    work(*given)
    seconds, processor = time.perf_counter() - start, time.process_time() - busy
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.send((seconds, processor, before // 1024, after // 1024))


def write(url: str, folder: Path, cora: Account, pack: Path, overlays: bool) -> None:  # noqa: FBT001
    """Write the pack."""
    database = Database(url, secret=None)
    study = found(database, cora)
    with database.begin(Role.ANALYST, actor=cora.id) as connection:
        export_pack(
            connection,
            study=study,
            storage=Storage(folder / "files"),
            path=pack,
            overlays=overlays,
            by=cora,
        )
    database.close()


def copy_rows(url: str, path: Path) -> None:
    """Let Postgres copy every row that the pack is made of into one file."""
    with psycopg.connect(url, options="-c search_path=reread") as owner, path.open("wb") as out:
        for table in TABLES:
            with owner.cursor().copy(f"COPY {table} TO STDOUT (FORMAT csv)") as rows:
                for chunk in rows:
                    out.write(chunk)


def compute(pack: Path) -> None:
    """Compute the results and draw the figures from the pack's own tables."""
    with open_pack(pack) as source:
        readings, cases = (read_whole(source, f"{name}.csv") for name in ("readings", "cases"))
    parsed = parse_pack_readings(readings, positive="BCC")
    results, _ = results_of(parsed, cases)
    if results is None or not list(draw_figures(parsed, results)):
        sys.exit("the readings make no analysis")


def verify(pack: Path) -> None:
    """Verify the pack."""
    problems = verify_pack(pack).problems
    if problems:
        sys.exit(problems[0])


if __name__ == "__main__":
    main()
