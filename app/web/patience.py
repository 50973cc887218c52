"""How long a request may take to arrive: a client that sends drop by drop is turned away.

A body is awaited by the event loop, which costs no thread; but each one that never ends holds a
connection and, for an upload, a file. The head of a request is the proxy's to bound.
"""

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAUSE = 30.0  # seconds between two pieces of a body
WHOLE = 1800.0  # seconds for all of it: a large import over a slow line


class Patience:
    """Ends a request whose body stops coming, with 408."""

    def __init__(self, app: ASGIApp, *, pause: float = PAUSE, whole: float = WHOLE) -> None:
        self._app = app
        self._pause = pause
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        until = time.monotonic() + self._whole
        arriving = True

        async def receive_soon() -> Message:
            nonlocal arriving
            if not arriving:  # what comes now is the end of the connection, whenever that is
                return await receive()
            left = min(self._pause, until - time.monotonic())
            try:
                message = await asyncio.wait_for(receive(), max(left, 0))
            except TimeoutError:
                arriving = False
                raise HTTPException(408) from None
            arriving = message["type"] == "http.request" and message.get("more_body", False)
            return message

        await self._app(scope, receive_soon, send)
