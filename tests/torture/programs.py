"""The programs under test as processes: `reread serve`, `reread worker`, killed and restarted."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SECRET = "a secret of the torture, long enough to be one"
PATIENCE = 900.0  # seconds for a start, on a very busy machine; one that ended is seen at once


def environment(database_url: str, folder: Path) -> dict[str, str]:
    """What the programs are told of where they are."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REREAD_")}
    return kept | {
        "DATABASE_URL": database_url,
        "REREAD_SECRET": SECRET,
        "REREAD_DATA": str(folder),
        "PYTHONUNBUFFERED": "1",
    }


# A web application as no release may be: it says "saved" of every other call and forgets it, and
# names the model in a header of each answer. What watches the others must notice both.
BROKEN = """
import os, random
from contextlib import contextmanager
from app.__main__ import main
from app.db.session import Database, Role
from app.web import protection

begin = Database._begin

@contextmanager
def forgetting(self, url, role, actor):
    with begin(self, url, role, actor) as connection:
        yield connection
        if role is Role.READER and random.random() < 0.5:
            connection.rollback()

Database._begin = forgetting
protection.HEADERS["X-Note"] = os.environ["CANARY"]
raise SystemExit(main())
"""


def free_port() -> int:
    """A port below those that the system lends to whoever connects: nobody takes it meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Program:
    """One command of reread that runs until it is stopped; `ready` is what it says when it is."""

    def __init__(
        self, arguments: Sequence[str], *, ready: str, log: Path, env: dict[str, str]
    ) -> None:
        self.program = ["-m", "app"]
        self.arguments = arguments
        self.ready = ready
        self.log = log
        self.env = env
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            out.write(b"--- start\n")
            out.flush()
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, *self.program, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.env,
            )

    def wait_until_ready(self) -> None:
        """Come back when it has said so since its last start; RuntimeError when it ended."""
        ends = time.monotonic() + PATIENCE
        while self.ready not in self.said():
            if not self.runs or time.monotonic() > ends:
                raise RuntimeError(f"{' '.join(self.arguments)} did not start:\n{self.said()}")
            time.sleep(0.05)

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        """What it has said since its last start."""
        return self.log.read_text(errors="replace").rpartition("--- start\n")[2]

    def pause(self) -> None:
        """Stop it where it is; `kill` ends it also then."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill with -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def terminate(self, *, within: float) -> int:
        """Ask it to end; its exit status. Raises TimeoutExpired when it takes longer."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(within)


class Web(Program):
    """`reread serve` on a free port."""

    def __init__(self, *, log: Path, env: dict[str, str]) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        super().__init__(["serve", "--port", str(port)], ready="answers at", log=log, env=env)


class BrokenWeb(Web):
    """The same, with the faults above."""

    def __init__(self, *, log: Path, env: dict[str, str], canary: str) -> None:
        super().__init__(log=log, env=env | {"CANARY": canary})
        self.program = ["-c", BROKEN]


def worker(*, log: Path, env: dict[str, str]) -> Program:
    return Program(["worker"], ready="waits for images", log=log, env=env)
