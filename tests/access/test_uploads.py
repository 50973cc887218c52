"""An upload is refused before it arrives where its sender may not send one (I5).

What counts is how many pieces of its body were asked for.
"""

import asyncio

import pytest
from starlette.types import Message

from app.domain.access import AccountRole
from app.main import LARGEST_FORM
from app.web.access import routes_of
from app.web.uploads import LARGEST_UPLOAD
from tests.access.test_api import make_token
from tests.conftest import make_account
from tests.web.site import Site

PAGE, PROGRAM = "/studies/bcc-sk/import", "/api/v1/studies/bcc-sk/cases"
PIECES = 50
HEAD = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.zip"\r\n\r\n'


def upload(site: Site, path: str, **headers: str) -> tuple[int, int]:
    """Send an upload in pieces; the status of the answer, and how many pieces were asked for."""
    asked, status = 0, 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        body = {1: HEAD, PIECES: b"\r\n--x--\r\n"}.get(asked, b"-" * 1000)
        return {"type": "http.request", "body": body, "more_body": asked < PIECES}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    sent = {
        "host": "127.0.0.1:8000",
        "sec-fetch-site": "same-origin",
        "content-type": "multipart/form-data; boundary=x",
        **headers,
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("192.0.2.7", 50000),
        "server": ("127.0.0.1", 8000),
        "http_version": "1.1",
    }
    asyncio.run(site.protected(scope, receive, send))
    return status, asked


def test_i5_these_are_the_routes_that_take_more_than_a_form(open_site: Site) -> None:
    large = {
        route.path
        for route in routes_of(open_site.app)
        if (route.max_body_size or 0) > LARGEST_FORM
    }
    assert large == {"/studies/{code}/import", "/api/v1/studies/{code}/cases"}
    assert all(
        route.max_body_size in {None, LARGEST_UPLOAD} for route in routes_of(open_site.app)
    ), "one with a bound of its own would not ask for its permission first"


def test_i5_a_strangers_upload_is_refused_before_it_arrives(open_site: Site) -> None:
    assert upload(open_site, PAGE) == (401, 0)
    assert upload(open_site, PAGE, cookie="reread=nobodys") == (401, 0)
    assert upload(open_site, PROGRAM) == (401, 0)
    assert upload(open_site, PROGRAM, authorization="Bearer reread_nobodys") == (401, 0)


def test_i5_an_upload_of_somebody_who_may_not_import_is_refused_before_it_arrives(
    site: Site,
) -> None:
    ada = make_account(site.cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    for person in (site.cast.rita, ada):
        assert upload(site, PAGE, cookie=f"reread={site.session(person)}") == (403, 0)
    reads = make_token(site, "read")
    assert upload(site, PROGRAM, authorization=f"Bearer {reads}") == (403, 0)


@pytest.mark.parametrize("way", ["page", "program"])
def test_i5_a_coordinators_upload_is_read(site: Site, way: str) -> None:
    """The control: the counts above are not nought by accident."""
    if way == "page":
        answer = upload(site, PAGE, cookie=f"reread={site.session(site.cast.cora)}")
    else:
        writes = make_token(site, "write")
        answer = upload(site, PROGRAM, authorization=f"Bearer {writes}")
    assert answer == (422, PIECES)  # it was read to its end, and lacks the table
