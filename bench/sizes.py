"""How large the database becomes: bytes a row, measured, and what follows for a very large one.

Builds a study in a Postgres of its own; simulated readers read it by the real actions. Then its
rows are copied many times under other ids, as if so many studies had been read (guards and foreign
keys off: this is for sizes alone, and nothing in it was read by anybody). Measured are the bytes of
each table and of its indexes, the bytes of the write-ahead log a case, and how long a case takes
by the actions before and after the copies. From these the sizes are extrapolated.

Run: `make bench-sizes`, or `.venv/bin/python -m bench.sizes [--copies 1000]`. Last line: JSON.
"""

import argparse
import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import LiteralString, cast
from uuid import UUID

import psycopg
from psycopg import sql

from app.db.migrate import migrate
from app.db.session import Database
from app.storage import Storage
from tests.torture import study
from tests.torture.postgres import OwnPostgres
from tests.torture.programs import SECRET
from tests.torture.single import SingleReader

READERS, CASES = 4, 25
# What the tables of one study are made of, and how many rows of each the large installation has.
IMAGES, READINGS = 10**7, 10**8
PER_CASE = {"study_case", "image", "reference_diagnosis", "prediction", "case_prediction"}
PER_ASSIGNMENT = {"assignment", "served", "reveal"}
TABLES = (*sorted(PER_CASE), *sorted(PER_ASSIGNMENT), "reading", "audit_event")
ROWS = (
    dict.fromkeys(PER_CASE, IMAGES)
    | dict.fromkeys(PER_ASSIGNMENT, READINGS // 2)
    | {"reading": READINGS}
)
SECONDS_A_CASE, BUSY = 45, 1000  # readers at once: one in ten of 10,000


def copy_study(owner: psycopg.Connection, table: str, study_id: UUID, copies: int) -> None:
    """Copy the study's rows of a table: every id becomes another, the same in all tables."""
    columns = owner.execute(
        """SELECT column_name, data_type FROM information_schema.columns
           WHERE table_schema = 'reread' AND table_name = %s AND is_generated = 'NEVER'
           ORDER BY ordinal_position""",
        [table],
    ).fetchall()
    key = "chain" if table == "audit_event" else "study_id"
    made = [_other(name, kind) for name, kind in columns]
    owner.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(sql.Identifier(table)))
    owner.execute(
        sql.SQL(
            """INSERT INTO {table} ({columns}) SELECT {made}
               FROM {table}, generate_series(1, %s) AS copy WHERE {key} = %s"""
        ).format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
            made=sql.SQL(", ").join(made),
            key=sql.Identifier(key),
        ),
        [copies, study_id],
    )


def _other(name: str, kind: str) -> sql.Composable:
    column = sql.Identifier(name)
    if kind == "uuid":
        return sql.SQL("md5({}::text || copy)::uuid").format(column)
    if name.endswith("_key"):  # unique as well, and as long as before
        return sql.SQL("left({0}, 6) || md5({0} || copy) || right({0}, 4)").format(column)
    return column


def sizes(owner: psycopg.Connection) -> dict[str, tuple[int, int, int]]:
    """Return rows, bytes of the table and bytes of its indexes."""
    found: dict[str, tuple[int, int, int]] = {}
    for table in TABLES:
        row = owner.execute(
            sql.SQL(
                "SELECT count(*), pg_table_size(%(name)s), pg_indexes_size(%(name)s) FROM {}"
            ).format(sql.Identifier(table)),
            {"name": table},
        ).fetchone()
        found[table] = cast("tuple[int, int, int]", row)
    return found


def events(owner: psycopg.Connection, study_id: UUID) -> int:
    """Return how many events the large installation has, from those of this study."""
    found: dict[str, int] = dict(
        owner.execute(
            """SELECT split_part(action, '.', 1), count(*) FROM audit_event
               WHERE chain = %s GROUP BY 1""",
            [study_id],
        ).fetchall()
    )
    total = 0
    for name, count in found.items():
        if name in PER_CASE:
            total += IMAGES * count // CASES
        elif name == "assignment":
            total += READINGS // 2 * count // (CASES * READERS)
        elif name in ROWS:  # a step of a reading; not every case was read
            total += READINGS // 2 * count // found["served"]
    return total


def timed_cases(reader: SingleReader, count: int) -> float:
    """Let the reader read; the median of seconds a case, four transactions."""
    taken: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        reader.read_a_case()
        taken.append(time.perf_counter() - start)
    return median(taken)


def value(owner: psycopg.Connection, query: LiteralString, *given: object) -> object:
    """Return the one value of a query."""
    row = owner.execute(query, given).fetchone()
    if row is None:
        raise RuntimeError(f"No row: {query}")
    return row[0]


def main() -> None:
    """Build, copy, measure, extrapolate."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizes")
    parser.add_argument("--copies", type=int, default=1000, help="of the study (1000)")
    copies: int = parser.parse_args().copies
    folder = Path(tempfile.mkdtemp(prefix="reread-sizes-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = stack.enter_context(OwnPostgres(folder))
        migrate(postgres.url(), secret=SECRET)
        database = Database(postgres.url(), secret=SECRET)
        stack.callback(database.close)
        study.prepare(
            database,
            Storage(folder / "files"),
            readers=READERS,
            cases=CASES,
            images=0,
            progress=lambda said: print(said, flush=True),
        )
        owner = stack.enter_context(
            psycopg.connect(postgres.url(), options="-c search_path=reread", autocommit=True)
        )
        study_id = cast("UUID", value(owner, "SELECT id FROM study WHERE code = %s", study.READ))
        readers = [
            SingleReader(database, row[0], study_id)
            for row in owner.execute("SELECT reader_id FROM enrolment ORDER BY id").fetchall()
        ]
        before = value(owner, "SELECT pg_current_wal_lsn()")
        small = median(timed_cases(reader, CASES) for reader in readers[:-1])
        log = value(owner, "SELECT pg_current_wal_lsn() - %s::pg_lsn", before)
        log_a_case = float(str(log)) / (CASES * (READERS - 1))
        half = CASES // 2
        timed_cases(readers[-1], half)
        per_event = events(owner, study_id)
        print(f"copying it {copies} times", flush=True)
        for table in TABLES:
            copy_study(owner, table, study_id, copies)
        owner.execute("VACUUM ANALYZE")
        for table in TABLES:
            owner.execute(
                sql.SQL("ALTER TABLE {} ENABLE TRIGGER ALL").format(sql.Identifier(table))
            )
            for (trigger,) in owner.execute(
                """SELECT tgname FROM pg_trigger
                   WHERE NOT tgisinternal AND tgrelid = %s::regclass""",
                [table],
            ).fetchall():
                owner.execute(
                    sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(
                        sql.Identifier(table), sql.Identifier(trigger)
                    )
                )
        large = timed_cases(readers[-1], CASES - half)
        found = sizes(owner)
    report(found, per_event, log_a_case=log_a_case, small=small, large=large)


def report(
    found: dict[str, tuple[int, int, int]],
    all_events: int,
    *,
    log_a_case: float,
    small: float,
    large: float,
) -> None:
    """Print what was measured and what follows."""
    rows = ROWS | {"audit_event": all_events}
    print(f"{'table':20} {'rows':>9} {'B/row':>6} {'B index':>8} {'rows then':>12} {'GB then':>8}")
    total = index_total = 0.0
    for table, (count, heap, indexes) in found.items():
        then = rows[table] * (heap + indexes) / count / 1e9
        total += then
        index_total += rows[table] * indexes / count / 1e9
        print(
            f"{table:20} {count:9} {heap / count:6.0f} {indexes / count:8.0f} "
            f"{rows[table]:12.1e} {then:8.1f}"
        )
    cases_a_second = BUSY / SECONDS_A_CASE
    print(f"all of it: {total:.0f} GB, {index_total:.0f} GB of them indexes")
    print(
        f"write-ahead log: {log_a_case / 1000:.1f} kB a case, "
        f"{cases_a_second * log_a_case / 1e6:.2f} MB/s at {cases_a_second:.0f} cases a second"
    )
    print(
        f"a case by the actions: {1000 * small:.1f} ms among {CASES * READERS} assignments, ",
        end="",
    )
    print(f"{1000 * large:.1f} ms among {found['assignment'][0]}")
    print(
        json.dumps(
            {
                "rows_measured": {table: one[0] for table, one in found.items()},
                "gigabytes": round(total, 1),
                "gigabytes_of_indexes": round(index_total, 1),
                "log_bytes_a_case": round(log_a_case),
                "ratio_of_a_case_large_to_small": round(large / small, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
