"""What every request uses: database, files, settings, clock. Built once, in app/main.py."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import anyio
from starlette.requests import Request

from app.db.session import Database
from app.identity_provider import IdentityProvider
from app.settings import Settings
from app.storage import Storage

# Both together are fewer than anyio has threads (40).
MOST_TURNS, FETCHES = 20, 16


@dataclass(frozen=True)
class Services:
    """The web application's collaborators."""

    settings: Settings
    database: Database
    storage: Storage
    clock: Callable[[], datetime]  # UTC; tests hand in their own
    provider: IdentityProvider | None = None  # where people may sign in beside the password
    turns: anyio.Semaphore = field(init=False)  # of requests at work in the database (turns.py)
    fetches: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(FETCHES))

    def __post_init__(self) -> None:
        turns = min(self.database.connections, MOST_TURNS)
        object.__setattr__(self, "turns", anyio.Semaphore(turns))


def services_of(request: Request) -> Services:
    """Return the services of the application that serves this request."""
    return cast("Services", request.app.state.services)
