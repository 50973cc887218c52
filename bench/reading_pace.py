"""How long a reader at the keyboard waits: 100 cases in a real Chromium, beside the bare writes.

Builds an open study of generated pictures (1024 x 1024 pixels, probabilities drawn at random) in
an embedded Postgres of its own with its usual care for the disk, serves it as `reread serve` does,
and reads every case with three keys a call. Timed: each answer of the server, and the wait from
the last key of a case to the next image on the screen. The baseline, in the same run: the four
writes of a case (served, unaided call, reveal, aided call) by a second reader, each its own
transaction, with nothing of the web around them.

Run: `make bench-reading`, or `.venv/bin/python bench/reading_pace.py [--cases 100]`. The last line
is JSON; "holds" says whether the answer with the next image stays under 100 ms at the median.
"""

# ruff: noqa: E402 - the path comes before the imports

import argparse
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

ROOT = Path(__file__).resolve().parent.parent
# Run as a file, Python would find bench/statistics.py under the standard library's name.
sys.path[0] = str(ROOT)

import numpy as np
import uvicorn
from playwright.sync_api import Page, sync_playwright
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.actions import manage_accounts, read_case
from app.actions.draw_orders import draw_missing_orders, enrol_reader
from app.db.embedded import embedded_postgres
from app.db.migrate import migrate
from app.db.session import Database, Role
from app.domain.access import Account, AccountRole
from app.domain.reading import Submission
from app.main import build_site
from app.settings import Settings
from app.storage import Storage
from bench.results_page import CODE, PASSWORD, found, prepare

BOUND = 0.100  # s of server time, from the lock of a case to the page of the next
CHROMIUM = shutil.which("chromium")
STEP = 60_000  # ms; a step that takes longer is no reading


@dataclass
class Timed:
    """The application, its answers timed from the request's arrival to the last byte."""

    app: ASGIApp
    answers: list[tuple[str, str, float]] = field(default_factory=list[tuple[str, str, float]])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        start = time.perf_counter()

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                took = time.perf_counter() - start
                self.answers.append((scope["method"], scope["path"], took))

        await self.app(scope, receive, watched if scope["type"] == "http" else send)


@contextlib.contextmanager
def served(app: ASGIApp) -> Generator[str]:
    """Run the application in a thread, as uvicorn runs it in production; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def reader(database: Database, study: UUID, name: str, coordinator: Account) -> Account:
    """Add a reader with an order of their own."""
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        account = manage_accounts.add_account(
            connection,
            email=f"{name}@example.org",
            name=name,
            role=AccountRole.READER,
            password=PASSWORD,
        )
    with database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        enrol_reader(connection, study=study, reader=account.id)
        draw_missing_orders(connection, study=study)
    return account


def bare_writes(database: Database, study: UUID, account: Account, cases: int) -> list[float]:
    """Write the four steps of each case, each its own transaction; returns seconds a case."""
    taken: list[float] = []

    def begin() -> contextlib.AbstractContextManager[read_case.Connection]:
        return database.begin(Role.READER, actor=account.id)

    for _ in range(cases):
        with begin() as connection:
            case = read_case.readings.current_assignment(connection, study)
        if case is None:
            raise RuntimeError("The order ended early.")
        start = time.perf_counter()
        with begin() as connection:
            read_case.readings.insert_served(connection, case)
        for phase in (read_case.Phase.UNAIDED, read_case.Phase.AIDED):
            call = Submission("BCC", 70, uuid4(), None)
            with begin() as connection:
                read_case.readings.insert_reading(connection, case, phase, call)
            if phase is read_case.Phase.UNAIDED:
                with begin() as connection:
                    read_case.readings.release_ai(connection, case.id, software_version="bench")
        taken.append(time.perf_counter() - start)
    return taken


def read(page: Page, address: str, cases: int) -> list[float]:
    """Read every case by keyboard; returns the waits from a case's last key to the next image."""
    page.set_default_timeout(STEP)
    page.goto(f"{address}/sign-in")
    page.fill("[name=email]", "keyboard@example.org")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{address}/")
    page.goto(f"{address}/studies/{CODE}/read")
    page.click("form[action$='/next'] button")
    waits: list[float] = []
    for number in range(1, cases + 1):
        page.wait_for_selector("[data-state=served] [data-viewer][data-opened]")
        page.keyboard.type("b7")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-state=revealed] [data-viewer][data-mapped]")
        page.wait_for_load_state("networkidle")  # a reader looks longer than that
        page.keyboard.type("s6")
        start = time.perf_counter()
        page.keyboard.press("Enter")
        if number < cases:
            page.wait_for_selector("[data-state=served] [data-viewer][data-opened]")
            waits.append(time.perf_counter() - start)
    page.wait_for_selector("[data-state=over]")
    return waits


def per_case(answers: list[tuple[str, str, float]]) -> tuple[list[float], list[float]]:
    """Split the answers at each aided lock: seconds a case, and seconds from it to the next."""
    cases: list[float] = [0.0]
    to_next: list[float] = []
    locked = None
    for method, path, took in answers:
        if not path.startswith(("/readings/", "/studies/")):
            continue
        cases[-1] += took
        if locked is not None and path.endswith("/read"):
            to_next.append(locked + took)
            cases.append(0.0)
        locked = took if method == "POST" and path.endswith("/aided") else None
    return cases[:-1] or cases, to_next


def median(seconds: list[float]) -> float:
    """Return the median."""
    return float(np.median(seconds))


def said(name: str, seconds: list[float]) -> dict[str, float]:
    """Print the median and the 95th percentile in milliseconds."""
    middle, high = median(seconds), float(np.percentile(seconds, 95))
    print(f"{name:58} median {1000 * middle:7.1f} ms   95 % {1000 * high:7.1f} ms", flush=True)
    return {"median_ms": round(1000 * middle, 1), "p95_ms": round(1000 * high, 1)}


def main() -> None:
    """Build, read, write barely, and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=100)
    count: int = parser.parse_args().cases
    if CHROMIUM is None:
        sys.exit("There is no chromium on this machine: nothing was measured.")
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="reread-"))
        folder = Path(made).resolve()
        folder.chmod(0o755)  # as root the server runs as another user
        url = stack.enter_context(embedded_postgres(folder / "postgres"))
        migrate(url, secret=None)
        database = Database(url, secret=None)
        stack.callback(database.close)
        cora = prepare(database, url, Storage(f"{folder}/files"), count, side=1024)
        study = found(database, cora).id
        reader(database, study, "keyboard", cora)
        second = reader(database, study, "bare", cora)
        settings = Settings.from_environment({"REREAD_STORAGE": f"{folder}/files"})
        timed = Timed(build_site(settings, database))
        with served(timed) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            waits = read(browser.new_page(viewport={"width": 1440, "height": 900}), address, count)
            browser.close()
        bare = bare_writes(database, study, second, count)
    whole, to_next = per_case(timed.answers)
    load = round(os.getloadavg()[0], 1)
    print(f"{count} cases by keyboard, one image each of 1024 x 1024 pixels; load average {load}")
    result = {
        "cases": count,
        "load": load,
        "server_time_to_next": said("server, from the aided lock to the next case's page", to_next),
        "server_time_per_case": said("server, all answers of a case, images included", whole),
        "bare_writes_per_case": said("bare writes of a case: four transactions", bare),
        "wait_to_next_image": said("reader, from the last key to the next image drawn", waits),
        "ratio_server_to_bare": round(median(whole) / median(bare), 2),
        "ratio_next_to_bare": round(median(to_next) / median(bare), 2),
        "holds": median(to_next) < BOUND,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
