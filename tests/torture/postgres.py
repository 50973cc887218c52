"""A PostgreSQL that is this process's own child, to be killed with -9 and started again."""

import ctypes
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import psycopg

from app.db.embedded import DATABASE, MAJOR, PROGRAMS, create_database, get_server

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 900.0  # seconds for a start, on a very busy machine


class OwnPostgres:
    """The embedded PostgreSQL's programs on a folder of our own, without the wheel's keeper."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Make a new data folder; `settings` are those of postgresql.conf."""
        self.data = folder / "postgres"
        self.sockets = folder
        self.settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "unix_socket_permissions": "0777",
            "max_connections": "300",
            **settings,
        }
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "postgres.log"
        self.user = "pgserver" if os.geteuid() == 0 else None  # Postgres refuses to run as root
        folder.chmod(0o777)
        self.data.mkdir(exist_ok=True)
        get_server(self.data, start=False, postgres_version=MAJOR).ensure_pgdata_inited()

    def url(self, user: str = "postgres", database: str = DATABASE) -> str:
        return f"postgresql://{user}@/{database}?host={self.sockets}"

    def start(self) -> None:
        """Start, and come back when it answers."""
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - the wheel's own program
                [PROGRAMS / "postgres", "-D", self.data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", **self.environment},
            )
        ends = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"Postgres did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url(database="postgres"), connect_timeout=60).close()
            return True
        return False

    def make_database(self) -> None:
        create_database(self.url(database="postgres"), DATABASE)

    def alter(self, **settings: str) -> None:
        """Change settings of the running server, as its administrator does."""
        with psycopg.connect(self.url(database="postgres"), autocommit=True) as connection:
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")

    def hold_wal_writer(self) -> None:
        """Stop the process that brings commits to the disk for those who do not wait for it."""
        with psycopg.connect(self.url(database="postgres")) as connection:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"
            ).fetchone()
        assert row
        os.kill(row[0], signal.SIGSTOP)

    def kill(self) -> None:
        """Kill every process of it with -9, the server's own first, and bury them all.

        Process 1 of a container may not bury orphans, and a server that is not buried counts as
        running: we take the orphans over.
        """
        assert self.process is not None
        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.process.send_signal(signal.SIGSTOP)  # it starts no further process
        family = children_of(self.process.pid)
        self.process.kill()
        self.process.wait()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in family:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)  # no later test's orphans: nobody buries those

    def stop(self) -> None:
        """Stop as an administrator does: open sessions are ended, everything is written."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        self.start()
        self.make_database()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def children_of(parent: int) -> list[int]:
    """The process ids whose parent this is."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            # pid (name) state parent ...; the name may hold anything but ends at the last bracket.
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found
