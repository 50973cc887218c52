"""A running site on a free port, and people in front of a real Chromium.

Any console error, page error or report of the content security policy fails the test.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)
from starlette.types import ASGIApp

from app.db.session import Database
from app.main import build_site, utc_now
from app.settings import Settings
from app.storage import Storage
from app.web.tour import Tour
from tests.conftest import PASSWORD, Cast
from tests.web import live

PATIENCE = 180_000  # ms; a machine may be busy with other tests
expect.set_options(timeout=PATIENCE)
CHROMIUM = shutil.which("chromium")
QUIET = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")  # open, it keeps an event loop; tests of the worker run their own
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the browser tests were NOT run")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@dataclass
class Person:
    """Somebody at their own browser."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        self.page.goto(self.address + "/sign-in")
        self.page.fill("[name=email]", email)
        self.page.fill("[name=password]", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(self.address + "/")

    def goto(self, path: str) -> None:
        self.page.goto(self.address + path)


@dataclass(frozen=True)
class Site:
    """The web application, answering."""

    address: str
    browser: Browser

    @contextmanager
    def person(self, **options: object) -> Iterator[Person]:
        context: BrowserContext = self.browser.new_context(
            viewport={"width": 1280, "height": 800}, **options
        )
        context.set_default_timeout(PATIENCE)
        person = Person(context.new_page(), self.address)

        def console(message: ConsoleMessage) -> None:
            # A refusal's status is no fault of the page; the test says what it expects of it.
            refused = "the server responded with a status of 4" in message.text
            if message.type == "error" and not refused:
                person.complaints.append(message.text)

        context.on("console", console)
        context.on("weberror", lambda error: person.complaints.append(str(error.error)))
        context.on("request", lambda request: person.requests.append(request.url))
        yield person
        context.close()
        assert person.complaints == []


@contextmanager
def serving(
    database: Database,
    storage: Storage,
    browser: Browser,
    *,
    clock: Callable[[], datetime] = utc_now,
    host: str | None = None,
    on_tour: Tour | None = None,
    **environment: str,
) -> Iterator[Site]:
    """Run the site; with `host` it knows its public address."""

    def build(port: int) -> ASGIApp:
        public = {"REREAD_PUBLIC_URL": f"http://{host}:{port}"} if host else {}
        given = {"REREAD_STORAGE": storage.url, **public, **environment}
        settings = Settings.from_environment(given)
        return build_site(settings, database, clock=clock, on_tour=on_tour)

    with live.serving_at(build) as port:
        yield Site(f"http://{host or '127.0.0.1'}:{port}", browser)


@pytest.fixture
def site(cast: Cast, browser: Browser) -> Iterator[Site]:
    """The open study of the cast, served."""
    with serving(cast.database, cast.storage, browser) as running:
        yield running
