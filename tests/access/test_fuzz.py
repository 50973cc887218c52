"""Requests nobody would write by hand, at every route: refused or answered, never an error (I7).

FUZZ is how many requests each person sends; a handful in the usual run, thousands before a release.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
import schemathesis
from fastapi.routing import APIRoute
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error

from app.db.session import Database
from app.domain.access import Account, AccountRole
from app.web.access import routes_of
from tests.access.test_api import ALL, make_token
from tests.access.test_matrix import Line, form_of, lines, real_ids
from tests.access.test_parts import invited
from tests.conftest import Cast, copy_of, make_account
from tests.reading.steps import serve
from tests.web.site import ADDRESS, Site

FUZZ = int(os.environ.get("FUZZ", "60"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))

HOSTILE = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",  # half of a pair: no text at all
    "\u202ebcc-sk",  # written from right to left
    "٤٢",  # digits, but not ours
    "\u22121",  # with a typeset minus
    "-1",
    "1e400",
    "NaN",
    "Infinity",
    "9" * 400,
    "99999999999999999999",
    "0x10",
    "1_000",
    "true",
    "[]",
    "{}",
    "null",
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "C:\\Windows\\win.ini",
    "file:///etc/passwd",
    "//evil.example/",
    "https://evil.example/",
    "'; DROP TABLE reading; --",
    "%s%s%s%n",
    "{{7*7}}",
    "${7*7}",
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "a\r\nSet-Cookie: x=y",
    "00000000-0000-0000-0000-000000000000",
    "2026-02-30",
    "9999-12-31T23:59:60Z",
    "x" * 70_000,
    "💩" * 3000,
    "\uff21",  # a letter of another width
    "é" * 200,
]


@dataclass(frozen=True)
class Stage:
    """The site with everybody on it, and where each route's own things are."""

    site: Site
    people: dict[str, Account | None]
    ids: dict[str, str]


@pytest.fixture
def stage(postgres: str, open_template: Cast) -> Iterator[Stage]:
    with copy_of(postgres, "open_cast") as url:
        database = Database(url, secret=None)
        site = Site(replace(open_template, database=database))
        cast = site.cast
        serve(cast, cast.rita)
        people = {
            "nobody": None,
            "Rita": cast.rita,
            "Rolf": cast.rolf,
            "Cora": cast.cora,
            "Ada": make_account(database, "ada@example.org", AccountRole.ADMINISTRATOR),
            "Jude": invited(site, "adjudicator", "jude@example.org"),
            "Audrey": invited(site, "auditor", "audrey@example.org"),
        }
        yield Stage(site, people, real_ids(cast, site))
        database.close()


# ---------------------------------------------------------------- the pages


def fields_of(route: APIRoute) -> list[str]:
    """The names of a route's form fields, those of a form of many fields one by one."""
    found: list[str] = []
    for parameter in route.dependant.body_params:
        kinds = [parameter.field_info.annotation]
        while kinds and get_origin(kinds[0]) in {Union, UnionType}:
            kinds = list(get_args(kinds[0]))
        model = getattr(kinds[0], "model_fields", None)
        found += [field.alias or name for name, field in model.items()] if model else []
        found.append(parameter.alias)
    return found


def queries_of(route: APIRoute) -> list[str]:
    return [parameter.alias for parameter in route.dependant.query_params]


@dataclass(frozen=True)
class Shot:
    """One request, as it can be sent again."""

    line: Line
    path: str
    sent: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.line.method} {self.path[:200]!r} {str(self.sent)[:400]}"


def shots(stage: Stage, person: str) -> Iterator[Shot]:
    """Requests without end: an honest one with something hostile put into one or all its places."""
    dice = random.Random(f"{SEED} {person}")  # noqa: S311 - to be drawn again from the seed
    routes = {
        (method, route.path): route
        for route in routes_of(stage.site.app)
        for method in route.methods
    }
    table = lines()
    while True:
        line = dice.choice(table)
        yield shot(stage, line, routes[line.method, line.path], dice)


def encoded(text: str) -> str:
    """A place in an address: percent signs for its bytes, whatever they are."""
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def shot(stage: Stage, line: Line, route: APIRoute, dice: random.Random) -> Shot:
    ids = dict(stage.ids)
    if ids and dice.random() < 0.3:
        ids[dice.choice(sorted(ids))] = encoded(dice.choice(HOSTILE)[:3000]) or "%20"
    path = line.path.format(**ids)
    queries = queries_of(route)
    if queries or dice.random() < 0.1:
        name = dice.choice([*queries, "unknown"])
        path += f"?{name}={encoded(dice.choice(HOSTILE)[:3000])}"
    if line.method == "GET":
        return Shot(line, path, {})
    honest = form_of(line, stage.site)
    names = fields_of(route) or ["unknown"]
    return Shot(line, path, body(honest, names, dice))


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DAMAGED = [b"", b"\xff\xfe\x00", b"{}", b"%", b"&&&=&=", b"=" * 500, b"a" * 2000]
KINDS = [
    b"application/json",
    b"text/xml",
    b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b"multipart/form-data; boundary=x",
    b"application/x-www-form-urlencoded; charset=utf-16",
    b"application/x-www-form-urlencoded; charset=no-such",
    b"",
    b"a/b; boundary=\xff",
]
FILES = [b"", b"\x00" * 100, b"GIF89a", b"PK\x05\x06" + b"\x00" * 18]


def body(honest: dict[str, Any], names: list[str], dice: random.Random) -> dict[str, Any]:
    data = {name: str(value) for name, value in honest.get("data", {}).items()}
    files = dict(honest.get("files", {}))
    name, value = dice.choice(names), dice.choice(HOSTILE)
    match dice.randrange(8):
        case 0 | 1 | 2 if not files:
            return form([*data.items(), (name, value)])
        case 0 | 1 | 2:
            return {"data": {**data, name: value.encode("utf-8", "replace")}, "files": files}
        case 3:
            return form([(one, dice.choice(HOSTILE)) for one in names])
        case 4:  # the same field many times
            return form([*data.items(), *[(name, value)] * 50])
        case 5:
            headers = {"Content-Type": dice.choice(KINDS)}
            return {"content": dice.choice(DAMAGED), "headers": headers}
        case 6:  # a file where text is asked for, under a name that leads elsewhere
            called = dice.choice(["../x", "a\x00", "é.jpg", ""])
            return {"files": {**files, name: (called, dice.choice(FILES))}}
        case _:  # more than a form may hold
            return {"content": b"a=" + b"x" * (1024**2 + 10), "headers": FORM}


def form(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    content = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in pairs)
    return {"content": content.encode(), "headers": FORM}


PEOPLE = ["nobody", "Rita", "Rolf", "Cora", "Ada", "Jude", "Audrey"]


@pytest.mark.parametrize("person", PEOPLE)
def test_i7_no_request_to_a_page_is_an_error_of_the_program(stage: Stage, person: str) -> None:
    browser = stage.site.browser(stage.people[person])
    session = browser.cookies.get("reread")
    statuses: set[int] = set()
    for _, one in zip(range(FUZZ), shots(stage, person), strict=False):
        if one.line.path in {"/sign-out", "/ready"}:  # no worker runs, and /ready says so
            continue
        answer: Response = browser.request(one.line.method, one.path, **one.sent)
        statuses.add(answer.status_code)
        assert answer.status_code < 500, f"{person}: {one}"
        if session:
            browser.cookies.set("reread", session)
    assert len(statuses) >= 4, "what was tried reached the routes"


# ---------------------------------------------------------------- the API


@pytest.mark.parametrize("scope", ALL)
def test_i7_no_request_to_the_api_is_an_error_of_the_program(stage: Stage, scope: str) -> None:
    document = stage.site.browser().get("/api/openapi.json").json()
    token = make_token(stage.site, scope)
    statuses: set[int] = set()

    def send(case: Case) -> None:
        case.headers["Authorization"] = f"Bearer {token}"
        case.operation.app = stage.site.protected
        answer = case.call(base_url=ADDRESS)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=[not_a_server_error])

    often = settings(
        max_examples=max(3, FUZZ // 30),
        suppress_health_check=list(HealthCheck),
    )
    tried = 0
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        often(given(found.ok().as_strategy())(send))()
        tried += 1
    assert tried == len([line for line in lines() if line.permission.startswith("token_")])
    assert 401 not in statuses
    assert 403 in statuses, "what the scope leaves out was tried too"
