"""R2: a base backup and the archived log of changes bring back any moment before the loss."""

import subprocess
from pathlib import Path

import psycopg

from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.embedded import PROGRAMS
from tests.faults.conftest import own_postgres
from tests.torture.postgres import OwnPostgres
from tests.torture.single import single_reader
from tests.torture.study import READ


def value(server: OwnPostgres, query: str) -> object:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        row = connection.execute(query).fetchone()
        return row and row[0]


def test_r2_what_was_acknowledged_before_the_moment_is_there_and_nothing_later(
    tmp_path: Path,
) -> None:
    """The procedure of docs/operations.md, step by step."""
    with own_postgres(archive_mode="on", archive_timeout="60") as server:
        archive, base = server.sockets / "archive", server.sockets / "restored"
        for folder in (archive, base):
            folder.mkdir()
            folder.chmod(0o777)
        server.alter(archive_command=f"test ! -f {archive}/%f && cp %p {archive}/%f")
        reader = single_reader(server, tmp_path / "files", cases=3)
        subprocess.run(  # noqa: S603 - the wheel's own program
            [PROGRAMS / "pg_basebackup", f"--dbname={server.url()}", "--checkpoint=fast",
             f"--pgdata={base}/postgres"],
            check=True, capture_output=True, user=server.user,
        )  # fmt: skip
        reader.read_a_case()
        head = value(server, "SELECT max(seq) FROM reread.audit_event")
        moment = value(server, "SELECT clock_timestamp()::text")
        reader.read_a_case()
        later = value(server, "SELECT max(seq) FROM reread.audit_event")
        assert later > head
        reader.database.close()
        value(server, "SELECT pg_switch_wal()")
        server.stop()  # it archives what it has, as after at most archive_timeout by itself
        (base / "postgres" / "recovery.signal").touch()
        restored = OwnPostgres(
            base,
            restore_command=f"cp {archive}/%f %p",
            recovery_target_time=str(moment),
            recovery_target_action="promote",
        )
        restored.start()
        try:
            assert value(restored, "SELECT max(seq) FROM reread.audit_event") == head
            assert value(restored, "SELECT count(*) FROM reread.reading") == 2
            assert verify_study(records_of(restored.url(), READ)).problems == ()
        finally:
            restored.stop()
