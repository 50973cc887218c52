"""Rows are never changed or removed, by nobody and with no trigger switched off (D3, D4)."""

from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from app.actions.copy_study import copy_study
from app.actions.verify_study import verify_study
from app.db.administrator import GUARDS, records_of
from app.domain.errors import Conflict
from app.domain.reading import ReadingState
from tests.conftest import Cast
from tests.reading.additions import bring_more
from tests.reading.steps import (
    bring_to,
    correct,
    exclude,
    finish,
    override_although_sequential,
    readmit,
    rows_of_people,
    rows_of_seen_before,
    serve,
    superuser,
)

# Who is bound to a provider does not change either, and may be unbound: access/test_provider.py.
KEPT = tuple(table for table in GUARDS["no_change"] if table != "provider_identity")
LIVING = GUARDS["no_delete"]  # a study opens, an account is disabled; they never disappear
both_ways = pytest.mark.parametrize("replica", [False, True], ids=["", "without triggers"])


@pytest.fixture(scope="module")
def read(open_copy: Cast) -> Cast:
    """Rita has finished a case: every table has rows."""
    exclude(open_copy)
    readmit(open_copy)
    finish(open_copy, open_copy.rita)
    correct(open_copy)
    bring_more(open_copy, 1)
    override_although_sequential(open_copy)
    rows_of_people(open_copy)
    rows_of_seen_before(open_copy)
    with superuser(open_copy) as owner:
        owner.execute(
            """INSERT INTO erasure (account_id, reason)
               SELECT id, 'For a test.' FROM account WHERE email = 'rolf@example.org'"""
        )
        owner.execute(
            """INSERT INTO invitation
                   (study_id, email, token_sha256, invited_by, created_at, expires_at)
               SELECT id, 'ruth@example.org', sha256('x'), created_by, now(), now() FROM study"""
        )
        owner.execute(
            """INSERT INTO password_reset (account_id, token_sha256, created_at, expires_at)
               SELECT id, sha256('y'), now(), now() FROM account LIMIT 1"""
        )
    copy_alone(open_copy)
    return open_copy


def copy_alone(cast: Cast) -> None:
    """Copy the study's settings."""
    copy_study(
        cast.database,
        cast.storage,
        study=cast.study,
        code="second",
        title="The second",
        with_cases=False,
        by=cast.cora,
    )


def attempt(cast: Cast, statement: str, table: str, *, replica: bool) -> int:
    """Run the statement as the superuser and roll back; returns the rows it reached."""
    with superuser(cast, replica=replica) as owner:
        done = owner.execute(sql.SQL(statement).format(table=sql.Identifier(table)))
        owner.rollback()
    return done.rowcount


@both_ways
@pytest.mark.parametrize("table", KEPT)
def test_d4_no_row_is_updated_even_by_the_superuser(
    read: Cast, table: str, *, replica: bool
) -> None:
    with superuser(read) as owner:
        column = owner.execute(
            """SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0
               AND attgenerated = '' ORDER BY attnum LIMIT 1""",
            [table],
        ).fetchone()[0]
    with pytest.raises(psycopg.Error, match="never changed or removed"):
        attempt(read, f"UPDATE {{table}} SET {column} = {column}", table, replica=replica)  # noqa: S608


@pytest.mark.parametrize("table", KEPT)
def test_s7_without_its_guard_the_same_update_goes_through(read: Cast, table: str) -> None:
    """So that it is this guard which the test above proves, and not another reason."""
    with superuser(read) as owner:
        column = owner.execute(
            """SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0
               AND attgenerated = '' AND attidentity = '' ORDER BY attnum LIMIT 1""",
            [table],
        ).fetchone()[0]
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER no_change")
        done = owner.execute(f"UPDATE {table} SET {column} = {column}")  # noqa: S608
        owner.rollback()
    assert done.rowcount > 0


@both_ways
@pytest.mark.parametrize("table", KEPT + LIVING)
def test_d4_no_row_is_deleted_even_by_the_superuser(
    read: Cast, table: str, *, replica: bool
) -> None:
    with pytest.raises(psycopg.Error, match="never changed or removed"):
        attempt(read, "DELETE FROM {table}", table, replica=replica)


@both_ways
@pytest.mark.parametrize("table", KEPT + LIVING)
def test_d4_no_table_is_emptied_even_by_the_superuser(
    read: Cast, table: str, *, replica: bool
) -> None:
    with pytest.raises(psycopg.Error, match="never changed or removed"):
        attempt(read, "TRUNCATE {table} CASCADE", table, replica=replica)


@pytest.mark.parametrize("table", KEPT)
def test_d4_merge_and_upsert_are_updates_too(read: Cast, table: str) -> None:
    with superuser(read) as owner:
        key = owner.execute(
            """SELECT attname FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid
               AND i.indisprimary AND a.attnum = i.indkey[0] WHERE a.attrelid = %s::regclass""",
            [table],
        ).fetchone()[0]
    with pytest.raises(psycopg.Error, match="never changed or removed"):
        attempt(
            read,
            f"MERGE INTO {{table}} t USING {{table}} s ON t.{key} = s.{key} "
            f"WHEN MATCHED THEN UPDATE SET {key} = s.{key}",
            table,
            replica=False,
        )


def test_l8_every_guard_of_ours_is_there_and_fires_always(read: Cast) -> None:
    """Also when the server replays as a replica, or somebody says it does."""
    with superuser(read) as owner:
        found = owner.execute(
            """SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger t
               JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'reread' AND NOT t.tgisinternal"""
        ).fetchall()
    expected = {(table, guard, "A") for guard, tables in GUARDS.items() for table in tables}
    assert set(found) == expected
    assert len(expected) >= 112


@pytest.mark.parametrize("change", ["DISABLE TRIGGER {guard}", "ENABLE TRIGGER {guard}", "drop"])
def test_l8_a_guard_switched_off_or_removed_is_found(cast: Cast, change: str) -> None:
    assert records_of(cast.database.url, "bcc-sk").disabled_guards == []
    with superuser(cast) as owner:
        if change == "drop":
            owner.execute("DROP TRIGGER no_change ON reading")
        else:
            owner.execute(f"ALTER TABLE reading {change.format(guard='no_change')}")
    assert records_of(cast.database.url, "bcc-sk").disabled_guards == ["reading.no_change"]


ANOTHER = """CREATE OR REPLACE FUNCTION {name} RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RETURN NEW; END $$"""


def test_l8_a_guards_function_that_was_written_anew_is_found(cast: Cast) -> None:
    before = verify_study(records_of(cast.database.url, "bcc-sk"))
    assert before.problems == ()
    assert "its functions as the migrations wrote them" in before.checked[-1]
    with superuser(cast) as owner:
        owner.execute(ANOTHER.format(name="guard_reading()"))
    records = records_of(cast.database.url, "bcc-sk")
    assert records.disabled_guards == [], "its trigger stands where it stood"
    assert records.rewritten_functions == ["guard_reading"]
    assert "the function guard_reading is not as the migrations wrote it" in (
        verify_study(records).problems
    )


def test_l8_a_guard_that_calls_a_function_of_somebody_elses_is_found(cast: Cast) -> None:
    with superuser(cast) as owner:
        owner.execute(ANOTHER.format(name="public.nothing()"))
        owner.execute("DROP TRIGGER guard ON reading")
        owner.execute(
            """CREATE TRIGGER guard BEFORE INSERT ON reading
               FOR EACH ROW EXECUTE FUNCTION public.nothing()"""
        )
        owner.execute("ALTER TABLE reading ENABLE ALWAYS TRIGGER guard")
    records = records_of(cast.database.url, "bcc-sk")
    assert records.disabled_guards == []
    assert records.rewritten_functions == ["nothing"]


def test_l8_a_schema_of_another_version_is_not_compared_and_nothing_is_said_of_it(
    cast: Cast,
) -> None:
    with superuser(cast) as owner:
        owner.execute(ANOTHER.format(name="guard_reading()"))
        owner.execute("UPDATE alembic_version SET version_num = '9999'")
    records = records_of(cast.database.url, "bcc-sk")
    assert records.rewritten_functions is None
    assert verify_study(records).problems == ()
    assert not any("as the migrations" in line for line in verify_study(records).checked)


# ---------------------------------------------------------------- steps, foreign keys switched off

READING = """INSERT INTO reading
    (assignment_id, study_id, reader_id, phase, call, confidence, submission_id)
    VALUES (%s, %s, %s, %s, 'BCC', 70, %s)"""
REVEAL = """INSERT INTO reveal
    (assignment_id, study_id, reader_id, case_id, case_prediction_id, software_version)
    SELECT a.id, a.study_id, a.reader_id, a.case_id, p.id, 'test' FROM assignment a
    JOIN case_prediction p ON p.case_id = a.case_id WHERE a.id = %s"""


@both_ways
def test_d3_the_superuser_cannot_skip_a_step_in_a_readers_name(
    cast: Cast, *, replica: bool
) -> None:
    assignment = bring_to(cast, cast.rita, ReadingState.ASSIGNED)
    unaided = [assignment, cast.study.id, cast.rita.id, "unaided", uuid4()]
    aided = [assignment, cast.study.id, cast.rita.id, "aided", uuid4()]
    steps = [
        (READING, unaided, "not been shown"),
        (READING, aided, "not been shown"),
        (REVEAL, [assignment], "no reveal before"),
    ]
    for statement, values, sentence in steps:
        with (
            pytest.raises(psycopg.Error, match=sentence),
            superuser(cast, actor=cast.rita, replica=replica) as owner,
        ):
            owner.execute(statement, values)
    bring_to(cast, cast.rita, ReadingState.LOCKED)
    with (
        pytest.raises(psycopg.Error, match="no aided reading before"),
        superuser(cast, actor=cast.rita, replica=replica) as owner,
    ):
        owner.execute(READING, aided)


@both_ways
def test_d3_nobody_reads_in_anothers_name(cast: Cast, *, replica: bool) -> None:
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    for actor in (None, cast.rolf, cast.cora):
        with (
            pytest.raises(psycopg.Error, match="Only the reader this case is assigned to"),
            superuser(cast, actor=actor, replica=replica) as owner,
        ):
            owner.execute(READING, [assignment, cast.study.id, cast.rita.id, "unaided", uuid4()])


def test_d8_times_are_the_databases_whatever_is_sent(cast: Cast) -> None:
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    with superuser(cast, actor=cast.rita) as owner:
        locked, now = owner.execute(
            """INSERT INTO reading (assignment_id, study_id, reader_id, phase, call, confidence,
                   submission_id, locked_at)
               VALUES (%s, %s, %s, 'unaided', 'BCC', 70, %s, '2001-01-01')
               RETURNING locked_at, clock_timestamp()""",
            [assignment, cast.study.id, cast.rita.id, uuid4()],
        ).fetchone()
    assert abs((now - locked).total_seconds()) < 60


def test_d10_a_disabled_reader_locks_nothing(cast: Cast) -> None:
    bring_to(cast, cast.rita, ReadingState.SERVED)
    with superuser(cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE id = %s", [cast.rita.id])
    with pytest.raises(Exception, match="disabled"):
        bring_to(cast, cast.rita, ReadingState.LOCKED)


def test_d3_the_output_released_cannot_be_that_of_another_case(cast: Cast) -> None:
    assignment = bring_to(cast, cast.rita, ReadingState.LOCKED)
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation),
        superuser(cast, actor=cast.rita) as owner,
    ):
        owner.execute(
            """INSERT INTO reveal
               (assignment_id, study_id, reader_id, case_id, case_prediction_id, software_version)
               SELECT a.id, a.study_id, a.reader_id, a.case_id, p.id, 'test' FROM assignment a
               JOIN case_prediction p ON p.case_id <> a.case_id WHERE a.id = %s LIMIT 1""",
            [assignment],
        )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("call", "'bcc'"),
        ("call", "''"),
        ("call", "NULL"),
        ("confidence", "-1"),
        ("confidence", "101"),
        ("confidence", "NULL"),
        ("active_milliseconds", "-1"),
        ("active_milliseconds", "86400001"),
        ("phase", "'second'"),
    ],
)
def test_d11_a_call_out_of_bounds_is_refused_by_the_table(
    read: Cast, column: str, value: str
) -> None:
    assignment = serve(read, read.rita)
    values = {"phase": "'unaided'", "call": "'BCC'", "confidence": "70", column: value}
    with (
        pytest.raises((psycopg.IntegrityError, Conflict)),
        superuser(read, actor=read.rita) as owner,
    ):
        owner.execute(
            sql.SQL(
                "INSERT INTO reading (assignment_id, study_id, reader_id, submission_id, {names}) "
                "VALUES (%s, %s, %s, %s, {values})"
            ).format(
                names=sql.SQL(", ").join(sql.Identifier(name) for name in values),
                values=sql.SQL(", ").join(sql.SQL(text) for text in values.values()),
            ),
            [assignment, read.study.id, read.rita.id, uuid4()],
        )
