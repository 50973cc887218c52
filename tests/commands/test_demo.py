"""The demonstration as a person starts it: up with its data, stopped without a trace, up again."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from app.demo_tour import COORDINATOR, PASSWORD, READERS, TOUR
from tests.torture.programs import free_port


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="reread-demo-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Run `reread demo` until it says its address; stop it as Ctrl-C does."""
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "app", "demo", "--port", str(free_port())],
        env={**environment, "REREAD_DATA": str(folder / "data"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said: list[str] = []
    address = ""
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"reread runs at (http://\S+)", line):
                address = found[1]
                break
        assert address, "".join(said)
        yield address, said
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        process.stdout.close()
        assert process.wait(600) == 0, rest
    assert "Stopped." in rest


@contextmanager
def signed_in(address: str, email: str) -> Iterator[httpx2.Client]:
    headers = {"Sec-Fetch-Site": "same-origin"}
    with httpx2.Client(
        base_url=address, headers=headers, follow_redirects=True, timeout=600
    ) as client:
        answer = client.post("/sign-in", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 200
        yield client


def running_in(folder: Path) -> list[str]:
    """Give the command lines that name the folder: the server's, were it still there."""
    lines: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            lines.append(path.read_text(errors="replace"))
    return [line for line in lines if str(folder) in line]


def test_the_demonstration_comes_up_stops_and_comes_back_as_it_was(folder: Path) -> None:
    with demo(folder) as (address, said):
        assert any("predictions and Grad-CAM" in line for line in said)
        with signed_in(address, COORDINATOR.email) as coordinator:
            assert "simulated" in coordinator.get("/studies/demo").text
            results = coordinator.get("/studies/demo-results/results")
            assert results.status_code == 200
            assert "simulated" in results.text
            assert coordinator.get("/studies/demo/results").status_code == 409
        with signed_in(address, READERS[0].email) as reader:
            page = reader.post("/studies/demo/next").text
            assignment = re.search(r"/readings/([0-9a-f-]{36})/unaided", page)
            assert assignment is not None
            assert "no patient" in page
        for number, stop in enumerate(TOUR.stops, start=1):
            with signed_in(address, stop.person.email) as person:
                page = person.get(stop.path)
                assert page.status_code == 200
                assert f"stop {number} of {len(TOUR.stops)}" in page.text
    assert running_in(folder) == []
    with demo(folder) as (address, said):
        assert not any("importing" in line for line in said)
        with signed_in(address, READERS[0].email) as reader:
            assert assignment[1] in reader.get("/studies/demo/read").text
    assert running_in(folder) == []
