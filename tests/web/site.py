"""The site as people meet it: the application in its protection, a clock of our own, browsers."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from fastapi import FastAPI
from starlette.testclient import TestClient

from app.actions.manage_accounts import ABSOLUTE
from app.db import accounts
from app.db.session import Database, Role
from app.domain.access import Account
from app.main import build_app, surround
from app.settings import Settings
from tests.conftest import Cast

ADDRESS = "http://127.0.0.1:8000"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Places(dict[str, object]):
    """Values for the places in a route's path; "x" where nothing is said."""

    def __missing__(self, name: str) -> str:
        return "x"


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 20, 9, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


class Site:
    """The whole application over one test's database."""

    def __init__(self, cast: Cast, *, public_url: str | None = None, **environment: str) -> None:
        self.cast = cast
        self.clock = Clock()
        environment |= {"REREAD_STORAGE": cast.storage.url, "REREAD_PUBLIC_URL": public_url or ""}
        settings = Settings.from_environment(environment)
        self.app: FastAPI = build_app(settings, cast.database, clock=self.clock)
        self.address = public_url or ADDRESS
        self.protected = surround(self.app, public_url=public_url)

    def browser(self, account: Account | None = None, **headers: str) -> TestClient:
        """A browser, signed in where an account is given; it follows no redirect by itself."""
        browser = TestClient(
            self.protected,
            base_url=self.address,
            headers={**SAME_ORIGIN, **headers},
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        if account is not None:
            browser.cookies.set("reread", self.session(account))
        return browser

    def session(self, account: Account) -> str:
        """Open a session without the cost of a password's hash; returns its token."""
        return open_session(self.cast.database, account, now=self.clock())


def open_session(database: Database, account: Account, *, now: datetime) -> str:
    """Open a session; returns its token, which the browser's cookie holds."""
    token = secrets.token_urlsafe(32)
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        accounts.insert_session(
            connection,
            token_sha256=sha256(token.encode()).digest(),
            account=account.id,
            now=now,
            expires=now + ABSOLUTE,
        )
    return token
