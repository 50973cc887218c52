"""Builds the web application: the only place where its parts are wired together."""

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from app.actions.check_readiness import ReadinessCheck
from app.db.session import Database
from app.identity_provider import IdentityProvider
from app.settings import Settings
from app.storage import Storage
from app.web.access import refuse_undeclared
from app.web.languages import InLanguage
from app.web.observed import Metrics, Observed
from app.web.patience import Patience
from app.web.protection import Protection
from app.web.refusals import add_refusals
from app.web.rendering import STATIC
from app.web.retrying import Retrying
from app.web.routes import (
    accounts,
    addition,
    adjudication,
    administration,
    api,
    api_pages,
    audit,
    corrections,
    design,
    home,
    importing,
    joining,
    keys,
    language,
    letters,
    models,
    monitor,
    own_account,
    passkeys,
    password_reset,
    preview,
    provider,
    readers,
    reading_room,
    results,
    second_factor,
    seen_before,
    studies,
    tour,
    watching,
)
from app.web.services import Services
from app.web.tour import Tour

LARGEST_FORM = 1024**2  # bytes; only the import takes more


def utc_now() -> datetime:
    """Return the time of day of the running application."""
    return datetime.now(UTC)


def build_app(
    settings: Settings,
    database: Database,
    *,
    clock: Callable[[], datetime] = utc_now,
    on_tour: Tour | None = None,
) -> FastAPI:
    """Build the application; raises RuntimeError when a route declares no permission.

    Only a demonstration has a tour, and only with one are its pages there.
    """
    app = FastAPI(
        title="reread",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=LARGEST_FORM,
    )
    storage = Storage(settings.storage_url)
    provider_named = IdentityProvider(settings.provider) if settings.provider else None
    app.state.metrics = Metrics()
    app.state.readiness = ReadinessCheck(database, storage, clock)
    app.state.services = Services(settings, database, storage, clock, provider_named)
    # A request is matched in this order, and readers' steps are what is asked for most.
    for corner in (
        reading_room,
        accounts,
        language,
        own_account,
        second_factor,
        passkeys,
        provider,
        password_reset,
        administration,
        home,
        watching,
        importing,
        studies,
        readers,
        monitor,
        addition,
        corrections,
        design,
        preview,
        adjudication,
        audit,
        joining,
        letters,
        keys,
        results,
        models,
        seen_before,
        api,
        api_pages,
    ):
        app.include_router(corner.router)
    if on_tour is not None:
        app.include_router(tour.router)
        app.add_middleware(tour.OnTour, tour=on_tour)
    # Pages are never compressed: beside a secret, the length of what is typed would tell of it.
    app.mount("/static", GZipMiddleware(StaticFiles(directory=STATIC)), name="static")
    add_refusals(app)
    app.add_middleware(Retrying)
    app.add_middleware(InLanguage)
    refuse_undeclared(app)
    return app


def surround(app: FastAPI, *, public_url: str | None) -> ASGIApp:
    """Put what every request goes through around the application."""
    return Observed(Patience(Protection(app, public_url=public_url)), app.state.metrics)


def build_site(
    settings: Settings,
    database: Database,
    *,
    clock: Callable[[], datetime] = utc_now,
    on_tour: Tour | None = None,
) -> ASGIApp:
    """Build what the server runs: the application inside its protection."""
    app = build_app(settings, database, clock=clock, on_tour=on_tour)
    return surround(app, public_url=settings.public_url)
