"""Whose word counts on where a request comes from: the named proxy's, and nobody else's (A12).

The server as `reread serve` runs it, asked over HTTP from 127.0.0.1.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
import uvicorn

from app.serving import server_settings
from tests.conftest import Cast
from tests.reading.steps import superuser
from tests.web.site import SAME_ORIGIN, Site

WRONG = {"email": "rita@example.org", "password": "not this one"}
HERE = "127.0.0.1"


@contextmanager
def served(cast: Cast, proxy: str | None) -> Iterator[str]:
    site = Site(cast)
    with socket.create_server((HERE, 0)) as listening:
        port = listening.getsockname()[1]
        config = server_settings(site.protected, host=HERE, port=port, proxy=proxy)
        config.lifespan = "off"
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://{HERE}:{port}"
        finally:
            server.should_exit = True
            thread.join()


def address_written_down(cast: Cast) -> str:
    with superuser(cast) as owner:
        found = owner.execute("SELECT address FROM sign_in_failure").fetchall()
    (row,) = found
    return row[0]


@pytest.mark.parametrize(
    ("proxy", "said", "believed"),
    [
        (None, "203.0.113.9", HERE),
        ("10.0.0.5", "203.0.113.9", HERE),
        (HERE, "203.0.113.9", "203.0.113.9"),
        # What the client said itself comes first; the proxy adds whom it saw.
        (HERE, "192.0.2.1, 203.0.113.9", "203.0.113.9"),
        (HERE, "", HERE),
    ],
)
def test_a12_an_address_is_believed_from_the_named_proxy_alone(
    cast: Cast, proxy: str | None, said: str, believed: str
) -> None:
    with served(cast, proxy) as address:
        headers = SAME_ORIGIN | ({"X-Forwarded-For": said} if said else {})
        answer = httpx2.post(address + "/sign-in", data=WRONG, headers=headers, timeout=600)
    assert answer.status_code == 422
    assert address_written_down(cast) == believed


def test_a12_other_forwarding_headers_are_nobodys_word(cast: Cast) -> None:
    """Not even the proxy's: only the two that the manual names."""
    forged = {
        "Forwarded": "for=203.0.113.9;host=evil.example;proto=https",
        "X-Real-IP": "203.0.113.9",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "X-Original-URL": "/accounts",
    }
    with served(cast, HERE) as address:
        answer = httpx2.post(
            address + "/sign-in", data=WRONG, headers=SAME_ORIGIN | forged, timeout=600
        )
        answer_of_get = httpx2.get(
            address + "/", headers=forged, follow_redirects=False, timeout=600
        )
    assert answer.status_code == 422
    assert "evil" not in answer.text
    assert answer_of_get.headers["location"] == "/sign-in?next=/"
    assert address_written_down(cast) == HERE


def test_a11_the_server_does_not_name_itself(cast: Cast) -> None:
    with served(cast, None) as address:
        answer = httpx2.get(address + "/sign-in", timeout=600)
    assert "server" not in answer.headers
