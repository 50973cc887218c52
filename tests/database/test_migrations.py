"""The migrations up and down, and up again, on a database that is in use."""

import subprocess
import sys
from uuid import uuid4

import psycopg

from app.db.embedded import PROGRAMS
from app.db.migrate import migrate, newest_revision
from tests.conftest import Cast, on_database


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables "
            "WHERE schemaname IN ('reread', 'jobs')"
        )
        return {row[0] for row in found}


def test_r5_a_filled_database_goes_down_to_nothing_and_up_again(cast: Cast) -> None:
    url = cast.database.url
    before = tables(url)
    cast.database.close()
    migrate(url, secret=None, to="base")
    assert tables(url) == {"reread.alembic_version"}
    migrate(url, secret=None)
    assert tables(url) == before
    with psycopg.connect(url) as connection:
        version = connection.execute("SELECT version_num FROM reread.alembic_version").fetchone()
    assert version == (newest_revision(),)


def schema(url: str) -> list[str]:
    """Everything but data, as pg_dump writes it; without what differs each time it is asked."""
    done = subprocess.run(  # noqa: S603 - the wheel's own program
        [PROGRAMS / "pg_dump", "--schema-only", f"--dbname={url}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]


def test_r5_down_and_up_again_gives_the_same_schema_to_the_last_right_and_trigger(
    cast: Cast,
) -> None:
    url = cast.database.url
    before = schema(url)
    assert any("ENABLE ALWAYS TRIGGER" in line for line in before)
    cast.database.close()
    migrate(url, secret=None, to="base")
    migrate(url, secret=None)
    assert schema(url) == before


def test_migrating_twice_changes_nothing(cast: Cast) -> None:
    with psycopg.connect(cast.database.url) as connection:
        before = connection.execute("SELECT count(*) FROM reread.audit_event").fetchone()
    migrate(cast.database.url, secret=None)
    with psycopg.connect(cast.database.url) as connection:
        assert connection.execute("SELECT count(*) FROM reread.audit_event").fetchone() == before


def test_r5_processes_that_start_at_once_migrate_once(postgres: str) -> None:
    """Three at one moment on an empty database: one works, the others wait and find it done."""
    name = f"test_{uuid4().hex}"
    url = on_database(postgres, name)
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    program = f"from app.db.migrate import migrate; migrate({url!r}, secret='a secret' * 8)"
    starts = [
        subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(3)
    ]
    assert [(start.communicate()[1], start.returncode) for start in starts] == [("", 0)] * 3
    with psycopg.connect(url) as connection:
        versions = connection.execute("SELECT version_num FROM reread.alembic_version").fetchall()
    assert versions == [(newest_revision(),)]
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
