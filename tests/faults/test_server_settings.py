"""R4: reread does not start on a Postgres that may lose what was committed."""

import subprocess

import psycopg
import pytest

from app.commands.run import serve
from app.db.embedded import PROGRAMS
from app.db.server_settings import refuse_unsafe_server, unsafe_settings
from app.db.session import Database, Role
from app.domain.errors import Unavailable
from app.settings import Settings
from tests.torture.postgres import OwnPostgres
from tests.torture.programs import SECRET, environment, free_port


@pytest.fixture
def database(own: OwnPostgres):
    opened = Database(own.url(), secret=SECRET)
    yield opened
    opened.close()
    own.alter(fsync="on", full_page_writes="on", synchronous_commit="on")


def test_r4_the_embedded_server_is_safe_as_it_comes(own: OwnPostgres, database: Database) -> None:
    with psycopg.connect(own.url()) as connection:
        assert unsafe_settings(connection) == []
    refuse_unsafe_server(database)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_r4_a_setting_that_is_off_is_named_with_the_way_to_mend_it(
    own: OwnPostgres, database: Database, setting: str
) -> None:
    own.alter(**{setting: "off"})
    with pytest.raises(
        Unavailable, match=rf"{setting} is off. To mend it: ALTER SYSTEM"
    ) as refusal:
        refuse_unsafe_server(database)
    assert str(refusal.value).count(" is off.") == 1


def test_r4_it_counts_what_holds_for_the_readers_role(own: OwnPostgres) -> None:
    with psycopg.connect(own.url(), autocommit=True) as connection:
        connection.execute("ALTER ROLE reread_reader SET synchronous_commit = off")
    database = Database(own.url(), secret=SECRET)
    try:
        with pytest.raises(Unavailable, match="synchronous_commit is off"):
            refuse_unsafe_server(database)
    finally:
        database.close()
        with psycopg.connect(own.url(), autocommit=True) as connection:
            connection.execute("ALTER ROLE reread_reader RESET synchronous_commit")


def test_r4_a_weaker_wait_for_a_standby_is_still_safe(own: OwnPostgres, database: Database) -> None:
    own.alter(synchronous_commit="local")
    refuse_unsafe_server(database)


@pytest.mark.usefixtures("database")
def test_r4_the_command_serve_refuses_before_it_answers(own: OwnPostgres) -> None:
    own.alter(fsync="off")
    settings = Settings.from_environment(environment(own.url(), own.sockets))
    given = type("Arguments", (), {"host": "127.0.0.1", "port": free_port()})
    with pytest.raises(Unavailable, match="reread does not start"):
        serve(given, settings)


def test_r4_a_server_without_checksums_is_refused(own: OwnPostgres) -> None:
    checksums = [PROGRAMS / "pg_checksums", "--pgdata", own.data]
    own.stop()
    try:
        run_as_owner(own, *checksums, "--disable")
        own.start()
        database = Database(own.url(), secret=SECRET)
        with pytest.raises(Unavailable, match=r"data_checksums is off\. To mend it: stop"):
            refuse_unsafe_server(database)
        database.close()
        # The way to mend it that the refusal names.
        own.stop()
        run_as_owner(own, *checksums, "--enable")
    finally:
        own.stop()
        own.start()
    with own_connection(own) as connection:
        assert unsafe_settings(connection) == []


def run_as_owner(own: OwnPostgres, *command: object) -> None:
    subprocess.run(  # noqa: S603 - the wheel's own program
        list(map(str, command)), check=True, capture_output=True, user=own.user
    )


def own_connection(own: OwnPostgres):
    database = Database(own.url(), secret=SECRET)
    return database.begin(Role.READER, actor=None)
