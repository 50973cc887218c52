"""Whose language a page is in: the one chosen, kept in a cookie, else the browser's, else English.

An account keeps its choice too, and gives it to each browser it signs in with: no request needs
to look it up.
"""

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.languages.catalogues import language_named, language_wished
from app.languages.current import current, here
from app.web.cookies import LANGUAGE, cookie_name


class InLanguage:
    """Sets the language of each request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Nothing is set back: each has a context of its own."""
        if scope["type"] == "http":
            request = Request(scope)
            chosen = language_named(request.cookies.get(cookie_name(request, LANGUAGE)))
            current.set(chosen or language_wished(request.headers.get("accept-language", "")))
            query = f"?{request.url.query}" if request.url.query else ""
            here.set(request.url.path + query if request.method == "GET" else "/")
        await self._app(scope, receive, send)
