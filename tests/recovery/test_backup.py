"""Backup and restore: R1 the same log, rows and guards, R3 the same files, R6 the drill."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import psycopg
import pytest

from app.actions.back_up import back_up
from app.actions.restore_backup import open_backup, prove, restore
from app.db.administrator import records_of
from app.db.dump import heads_of
from app.db.embedded import PROGRAMS, embedded_postgres
from app.domain.backup import DATABASE, Manifest
from app.domain.errors import Conflict, InvalidInput, Unavailable
from app.domain.reading import ReadingState
from app.storage import Storage
from tests.conftest import PASSWORD, Cast, on_database
from tests.reading.steps import bring_to, finish, superuser
from tests.torture.programs import Web
from tests.web.site import open_session

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's own account can reach, too."""
    made = Path(tempfile.mkdtemp(prefix="reread-backup-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    """An empty database on the server, whose roles are there."""
    name = f"restored_{os.urandom(4).hex()}"
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield on_database(postgres, name)
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def make(cast: Cast, folder: Path) -> Manifest:
    """Back up the cast's study: one case read, another one in the middle."""
    finish(cast, cast.rita)
    bring_to(cast, cast.rolf, ReadingState.REVEALED)
    return back_up(cast.database.url, cast.storage, folder / "backup", now=NOW, progress=quiet)


def content(url: str) -> dict[str, list[tuple]]:
    """Every row of every table of ours, but for sessions, which a backup leaves out."""
    with psycopg.connect(url, options="-c search_path=reread -c timezone=UTC") as connection:
        tables = connection.execute(
            """SELECT tablename FROM pg_tables
               WHERE schemaname = 'reread' AND tablename <> 'sign_in_session'"""
        ).fetchall()
        assert len(tables) >= 40
        return {
            table: connection.execute(
                f"SELECT md5(t::text) FROM {table} t ORDER BY 1"  # noqa: S608 - ours
            ).fetchall()
            for (table,) in tables
        }


def test_r1_r3_a_restore_has_the_same_log_rows_guards_and_files(
    cast: Cast, folder: Path, empty: str
) -> None:
    made = make(cast, folder)
    assert made.missing == []
    before = content(cast.database.url)
    finish(cast, cast.rita)  # after the backup: not in it
    storage = Storage(folder / "files")
    restore(
        empty, storage, open_backup(folder / "backup", progress=quiet), secret=None, progress=quiet
    )
    assert content(empty) == before
    assert sum(map(bool, before.values())) >= 15, "there were rows to bring back"
    assert prove(empty, storage, made) == {"bcc-sk": []}
    assert records_of(empty, "bcc-sk").disabled_guards == []
    assert {h.hash for h in heads_of(empty)} == {h.hash for h in made.heads}
    with (
        psycopg.connect(empty, options="-c search_path=reread") as owner,
        pytest.raises(psycopg.Error, match="never changed"),
    ):
        owner.execute("UPDATE reading SET call = 'SK'")


def test_r1_a_dump_holds_the_rows_of_every_table_but_sessions(cast: Cast, folder: Path) -> None:
    """Also of the tables that are empty here, which no comparison of rows can tell of."""
    back_up(cast.database.url, cast.storage, folder / "backup", now=NOW, progress=quiet)
    listed = subprocess.run(  # noqa: S603 - the server's own program
        [PROGRAMS / "pg_restore", "--list", folder / "backup" / DATABASE],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    held = set(re.findall(r" TABLE DATA (\w+ \w+)", listed))
    with superuser(cast) as owner:
        tables = owner.execute(
            """SELECT schemaname || ' ' || tablename FROM pg_tables
               WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""
        ).fetchall()
    # The schema's version is in the manifest, and comes back with the restore.
    kept = {name for (name,) in tables} - {"reread sign_in_session", "reread alembic_version"}
    assert held == kept
    assert len(held) >= 45


def test_a6_nobody_is_signed_in_by_a_restore(cast: Cast, folder: Path, empty: str) -> None:
    open_session(cast.database, cast.rita, now=NOW)
    make(cast, folder)
    given = open_backup(folder / "backup", progress=quiet)
    restore(empty, Storage(folder / "files"), given, secret=None, progress=quiet)
    with psycopg.connect(empty) as owner:
        sessions = owner.execute("SELECT count(*) FROM reread.sign_in_session").fetchone()
    assert sessions == (0,)


def test_p8_a_backup_holds_no_password_or_session_and_says_what_it_holds(
    cast: Cast, folder: Path
) -> None:
    token = open_session(cast.database, cast.rita, now=NOW)
    made = make(cast, folder)
    said = (folder / "backup" / "manifest.json").read_text()
    everything = b"".join(p.read_bytes() for p in (folder / "backup").rglob("*") if p.is_file())
    assert token.encode() not in everything
    assert PASSWORD.encode() not in everything
    assert "the secrets of second factors" in made.contains
    assert "REREAD_SECRET is not in it" in said


@pytest.mark.parametrize("name", ["database.dump", "files.csv", "files/*/*/*.jpg"])
def test_r3_a_backup_that_was_altered_or_lost_a_file_is_refused_by_name(
    cast: Cast, folder: Path, name: str
) -> None:
    make(cast, folder)
    path = next((folder / "backup").glob(name))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InvalidInput, match=rf"{path.name} was altered. Nothing was restored"):
        open_backup(folder / "backup", progress=quiet)
    path.unlink()
    with pytest.raises(InvalidInput, match="is missing"):
        open_backup(folder / "backup", progress=quiet)


def test_l4_a_dump_that_was_swapped_with_its_hash_is_not_taken_for_the_backed_up_log(
    cast: Cast, folder: Path, empty: str
) -> None:
    make(cast, folder)
    manifest = folder / "backup" / "manifest.json"
    said = json.loads(manifest.read_text())
    said["heads"][0]["hash"] = "0" * 64
    manifest.write_text(json.dumps(said))
    given = open_backup(folder / "backup", progress=quiet)
    with pytest.raises(InvalidInput, match="do not use it, and empty the place again: the log of"):
        restore(empty, Storage(folder / "files"), given, secret=None, progress=quiet)


def test_r1_a_restore_goes_only_into_an_empty_place(cast: Cast, folder: Path, empty: str) -> None:
    make(cast, folder)
    given = open_backup(folder / "backup", progress=quiet)
    with pytest.raises(Conflict, match="There is a database already"):
        restore(cast.database.url, Storage(folder / "a"), given, secret=None, progress=quiet)
    used = Storage(folder / "used")
    used.put(b"another file", suffix=".jpg")
    with pytest.raises(Conflict, match="1 files in the storage that are not of this backup"):
        restore(empty, used, given, secret=None, progress=quiet)


def test_r1_a_restore_that_broke_off_is_started_again(cast: Cast, folder: Path, empty: str) -> None:
    """Files may be there already; the database comes whole or not at all."""
    made = make(cast, folder)
    given = open_backup(folder / "backup", progress=quiet)
    storage = Storage(folder / "files")

    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(empty, storage, given, secret=None, progress=stop)
    broken = (folder / "backup" / "database.dump").read_bytes()
    (folder / "backup" / "database.dump").write_bytes(broken[: len(broken) // 2])
    with pytest.raises(Unavailable, match="pg_restore failed"):
        restore(empty, storage, given, secret=None, progress=quiet)
    (folder / "backup" / "database.dump").write_bytes(broken)
    restore(empty, storage, given, secret=None, progress=quiet)
    assert prove(empty, storage, made) == {"bcc-sk": []}


def test_r3_a_lost_or_altered_file_is_named_and_the_rest_is_backed_up(
    cast: Cast, folder: Path
) -> None:
    storage = Storage(folder / "own")
    with psycopg.connect(cast.database.url, options="-c search_path=reread") as owner:
        keys = [row[0] for row in owner.execute("SELECT storage_key FROM image ORDER BY 1")]
        keys += [row[0] for row in owner.execute("SELECT overlay_key FROM prediction")]
    for key in keys[1:]:
        storage.put_back(cast.storage.get(key), key=key)
    (folder / "own" / keys[1]).write_bytes(b"not the picture")
    made = back_up(cast.database.url, storage, folder / "backup", now=NOW, progress=quiet)
    assert made.files == len(keys) - 2
    assert made.missing == [
        f"{keys[0]} is missing",
        f"{keys[1]} was altered: it is not the file that its row names",
    ]


def test_r6_the_drill_from_an_empty_machine_to_signing_in(cast: Cast, folder: Path) -> None:
    """`reread restore` on a server without roles, then `reread serve`, then a person signs in."""
    make(cast, folder)
    kept = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REREAD_SECRET"}}
    env = {**kept, "REREAD_DATA": str(folder / "machine"), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "app", "restore", str(folder / "backup")],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bcc-sk: log, rows, guards and files hold" in done.stdout
    web = Web(log=folder / "web.log", env=env)
    web.start()
    try:
        web.wait_until_ready()
        with httpx2.Client(
            base_url=web.address,
            headers={"Sec-Fetch-Site": "same-origin"},
            follow_redirects=True,
            timeout=600,  # a busy machine
        ) as client:
            page = client.post("/sign-in", data={"email": "cora@example.org", "password": PASSWORD})
            assert "BCC or SK" in page.text
        assert web.terminate(within=600) == 0
    finally:
        web.kill()


def test_a_backup_is_for_the_account_that_made_it_alone(folder: Path) -> None:
    """As a command; nobody else may read photographs and digests."""
    env = {**os.environ, "REREAD_DATA": str(folder / "machine")}
    env.pop("DATABASE_URL", None)
    with embedded_postgres(folder / "machine" / "postgres"):
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "app", "backup", str(folder / "backup")],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "It contains case images, diagnoses" in done.stdout
    modes = {p.stat().st_mode & 0o077 for p in (folder / "backup").rglob("*")}
    assert modes | {(folder / "backup").stat().st_mode & 0o077} == {0}
