"""What every request uses: database, files, settings, clock. Built once, in app/main.py."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from starlette.requests import Request

from app.db.session import Database
from app.settings import Settings
from app.storage import Storage


@dataclass(frozen=True)
class Services:
    """The web application's collaborators."""

    settings: Settings
    database: Database
    storage: Storage
    clock: Callable[[], datetime]  # UTC; tests hand in their own


def services_of(request: Request) -> Services:
    """Return the services of the application that serves this request."""
    return cast("Services", request.app.state.services)
