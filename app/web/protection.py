"""What surrounds every request: response headers, same-origin check, known hosts."""

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# A name or an address, perhaps a port; urlsplit() would raise on some of what a header can hold.
_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
YEAR = 31_536_000


class Protection:
    """Outermost layer, so that even a 500 carries the headers.

    `public_url` is the address people type. Requests for another host are refused, and so are
    unsafe methods that did not come from a page of ours (Fetch Metadata, else Origin).
    """

    def __init__(self, app: ASGIApp, *, public_url: str | None) -> None:
        self._app = app
        parts = urlsplit(public_url or "")
        self._secure = parts.scheme == "https"
        self._hosts = {parts.hostname} if parts.hostname else {"127.0.0.1", "localhost", "::1"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(scope, message["status"], MutableHeaders(scope=message))
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_protected)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = _HOST.fullmatch(host.lower())
        if name is None or name[1].strip("[]") not in self._hosts:
            return PlainTextResponse(
                "This host name is not served here; REREAD_PUBLIC_URL names the one that is.",
                status_code=400,
            )
        # The API reads no cookie: a form of another site brings nothing that opens it.
        by_token = scope["path"].startswith("/api/v1/")
        safe = by_token or scope["method"] in SAFE_METHODS
        if not safe and not self._is_same_origin(headers, host):
            return PlainTextResponse(
                "Refused: this form was not sent from a page of this site.", status_code=403
            )
        return None

    def _is_same_origin(self, headers: Headers, host: str) -> bool:
        sites = headers.getlist("sec-fetch-site")
        if sites:
            return sites == ["same-origin"]
        # Whoever is on the network can write a page of this host, where it comes without TLS.
        schemes = ("https",) if self._secure else ("http", "https")
        return headers.get("origin") in {f"{scheme}://{host}" for scheme in schemes}

    def _add_headers(self, scope: Scope, status: int, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        if self._secure:
            headers["Strict-Transport-Security"] = f"max-age={YEAR}"
        if scope["path"].startswith("/static/") and status < 400:  # noqa: PLR2004 - no refusals
            headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        else:
            headers["Cache-Control"] = "no-store"
