"""A step of a reading whose transaction was broken off is tried again, before the reader hears.

A form carries its submission id, and a reveal or a next case is recorded once: trying again writes
what was not written, and finds what was. That also settles a commit whose answer was lost.
"""

import re

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAUSES = (0.05, 0.2, 0.8)  # seconds before the second, third and fourth try
_REPEATABLE = re.compile(r"/readings/[^/]+/(?:unaided|reveal|aided)|/studies/[^/]+/next")


class Retrying:
    """Inside everything that reads the request, outside of what turns refusals into answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, at the fourth try whatever comes of it."""
        repeatable = scope["type"] == "http" and scope["method"] == "POST"
        if not repeatable or _REPEATABLE.fullmatch(scope["path"]) is None:
            await self._app(scope, receive, send)
            return
        received: list[Message] = []
        for pause in PAUSES:
            answer, broken_off = await self._try(scope, receive, received)
            if not broken_off:
                break
            await anyio.sleep(pause)
        else:
            answer, _ = await self._try(scope, receive, received)
        for message in answer:
            await send(message)

    async def _try(
        self, scope: Scope, receive: Receive, received: list[Message]
    ) -> tuple[list[Message], bool]:
        """Run the application once; its answer, and whether a transaction was broken off."""
        # The application writes into its scope; each try gets one of its own.
        own: Scope = {**scope, "state": dict(scope.get("state", {}))}
        place = 0

        async def again() -> Message:
            nonlocal place
            if place == len(received):
                received.append(await receive())
            place += 1
            return received[place - 1]

        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(own, again, keep)
        return answer, bool(own["state"].get("broken_off"))
