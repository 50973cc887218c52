"""Behind a PgBouncer in transaction mode, where every transaction may be on another connection."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.db.readings import current_assignment
from app.db.session import Database, Role
from app.domain.reading import ReadingState
from tests.conftest import Cast
from tests.reading.steps import at, bring_to, finish
from tests.torture.programs import free_port

PROGRAM = shutil.which("pgbouncer")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Debian's pgbouncer is not installed")

CONFIG = """
[databases]
{name} = host={host} port={port} dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
query_wait_timeout = 20
default_pool_size = 2
logfile = {folder}/log
"""


@pytest.fixture
def pooled_url(cast: Cast) -> Iterator[str]:
    """The address of a PgBouncer before the cast's database, with two connections a role."""
    folder = Path(tempfile.mkdtemp(prefix="reread-pgbouncer-"))
    folder.chmod(0o777)  # as root it runs as another user
    parts = conninfo_to_dict(cast.database.url)
    listen = free_port()
    place = {"name": parts["dbname"], "host": parts["host"], "port": parts.get("port", 5432)}
    (folder / "ini").write_text(CONFIG.format(**place, listen=listen, folder=folder))
    (folder / "users").write_text("".join(f'"{role}" ""\n' for role in Role))
    # Never as root: as the user whose socket it has to reach.
    as_user = ["-u", Path(str(parts["host"])).owner()] if os.geteuid() == 0 else []
    process = subprocess.Popen(  # noqa: S603 - Debian's own program
        [str(PROGRAM), "-q", *as_user, str(folder / "ini")], stderr=subprocess.DEVNULL
    )
    url = make_conninfo("", host="127.0.0.1", port=listen, dbname=place["name"])
    try:
        _wait_for(url, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _wait_for(url: str, log: Path) -> None:
    until = time.monotonic() + 600
    while True:
        try:
            psycopg.connect(url, user=str(Role.READER)).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > until:
                raise AssertionError(log.read_text() if log.exists() else str(error)) from error
        else:
            return


def through(cast: Cast, url: str, **options: bool) -> Cast:
    return replace(cast, database=Database(url, secret=None, **options))


def test_two_readers_read_through_it_side_by_side_and_each_is_who_they_are(
    cast: Cast, pooled_url: str
) -> None:
    pooled = through(cast, pooled_url, prepares=False)

    def read(name: str) -> int:
        for _ in range(4):
            finish(pooled, getattr(pooled, name))
        return at(pooled, getattr(pooled, name)).assignment.position

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(read, ("rita", "rolf"))) == [5, 5]
    pooled.database.close()
    with psycopg.connect(cast.database.url) as owner:
        found = owner.execute(
            "SELECT reader_id, phase, count(*) FROM reread.reading GROUP BY 1, 2"
        ).fetchall()
    assert {row[2] for row in found} == {4}
    assert len(found) == 4


def test_b2_nothing_of_one_readers_transaction_is_left_for_the_next(
    cast: Cast, pooled_url: str
) -> None:
    """No actor, no search path, no time limit: the connection is as it was."""
    pooled = through(cast, pooled_url, prepares=False)
    bring_to(pooled, pooled.rita, ReadingState.REVEALED)
    with psycopg.connect(pooled_url, user=str(Role.READER), prepare_threshold=None) as bare:
        kept = bare.execute(
            """SELECT current_setting('reread.actor', true), current_setting('search_path'),
                      current_setting('statement_timeout')"""
        ).fetchone()
        assert kept == ("", '"$user", public', "0")
        assert bare.execute("SELECT count(*) FROM reread.reading").fetchone() == (0,)
    pooled.database.close()


def test_prepared_statements_do_not_work_there_so_the_setting_is_needed(
    cast: Cast, pooled_url: str
) -> None:
    """The control: two connections of ours, prepared statements, few connections behind."""
    pooled = through(cast, pooled_url, prepares=True)

    def look(name: str) -> None:
        for _ in range(40):
            with pooled.begin(Role.READER, getattr(pooled, name)) as connection:
                current_assignment(connection, pooled.study.id)

    with (
        pytest.raises(psycopg.Error, match="prepared statement"),
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(look, ("rita", "rolf", "rita", "rolf")))
    pooled.database.close()
