"""A client that sends drop by drop is turned away, and one that is merely slow is not (I5)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from app.web.patience import Patience
from tests.web.site import Site

FORM = b"email=rita%40example.org&password=not+this"


class Client:
    """Sends the pieces of a body, then nothing more; keeps what it is answered."""

    def __init__(self, *pieces: bytes, ends: bool) -> None:
        last = len(pieces) - 1
        self._pieces = [
            {"type": "http.request", "body": piece, "more_body": not (ends and number == last)}
            for number, piece in enumerate(pieces)
        ]
        self.answers: list[Message] = []

    async def receive(self) -> Message:
        if self._pieces:
            return self._pieces.pop(0)
        await asyncio.Event().wait()  # for ever
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.answers.append(message)

    @property
    def status(self) -> int:
        return self.answers[0]["status"]


def post(site: Site, client: Client, *, pause: float, whole: float = 60) -> None:
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"sec-fetch-site", b"same-origin"),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/sign-in",
        "raw_path": b"/sign-in",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    app = Patience(site.protected, pause=pause, whole=whole)
    run: Callable[..., Awaitable[None]] = app
    asyncio.run(asyncio.wait_for(run(scope, client.receive, client.send), 600))


@pytest.mark.parametrize("pieces", [(b"",), (FORM[:10],), (FORM[:10], FORM[10:20])])
def test_i5_a_body_that_stops_coming_ends_the_request(
    site: Site, pieces: tuple[bytes, ...]
) -> None:
    client = Client(*pieces, ends=False)
    post(site, client, pause=0.2)
    assert client.status == 408


def test_i5_a_body_that_never_ends_is_ended_as_a_whole(site: Site) -> None:
    client = Client(*[b"a" for _ in range(3)], ends=False)
    post(site, client, pause=30, whole=0.2)
    assert client.status == 408


def test_i5_a_body_in_pieces_that_does_end_is_answered(site: Site) -> None:
    client = Client(*[FORM[i : i + 5] for i in range(0, len(FORM), 5)], ends=True)
    post(site, client, pause=30)
    assert client.status == 422  # a wrong password
