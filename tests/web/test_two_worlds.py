"""Two worlds that differ in nothing but truth, AI output and other people's calls (B1, B5, B8, B9).

In the second one every diagnosis is the other one, every probability, call and map of the model
too. A reader up to the lock, and a coordinator up to unblinding, ask both for everything: each
answer must be the same, whatever it is made of. Canaries find what is copied; this finds what is
counted, sorted or computed from it as well.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from httpx2 import Response
from PIL import Image
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from starlette.testclient import TestClient

from app.db.session import Database
from app.domain.access import Account
from app.domain.reading import ReadingState
from app.web.access import routes_of
from tests.access.test_api import make_token, program
from tests.conftest import Cast, copy_of
from tests.reading.steps import (
    bring_to,
    call,
    close,
    finish,
    lock_aided_call,
    show_ai,
    superuser,
    unblind,
)
from tests.web.site import Clock, Places, Site, open_session

ABSENT = UUID("00000000-0000-4000-8000-000000000000")
SUBMISSION = "11111111-1111-4111-8111-111111111111"


def another_map() -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (96, 72), (20, 200, 40, 200)).save(out, "PNG", compress_level=0)
    return out.getvalue()


OTHER = "CASE {0} WHEN 'BCC' THEN 'SK' ELSE 'BCC' END"
TRUTH_AND_AI = {
    "reference_diagnosis": f"diagnosis = {OTHER.format('diagnosis')}",
    "prediction": "probability = 0.9 - probability * 0.8, device = 'another'",
    "case_prediction": f"probability = 0.9 - probability * 0.8, call = {OTHER.format('call')}",
}
CALLS = {"reading": f"call = {OTHER.format('call')}, confidence = 100 - confidence"}


def draw_maps_anew(cast: Cast, owner: Connection) -> None:
    shown = another_map()
    for row in owner.execute("SELECT id FROM prediction").fetchall():
        owner.execute(
            "UPDATE prediction SET overlay_key = %s, overlay_sha256 = %s WHERE id = %s",
            [cast.storage.put(shown, suffix=".png"), hashlib.sha256(shown).hexdigest(), row[0]],
        )


def turn(cast: Cast, changes: dict[str, str], *, only: Account | None = None) -> None:
    """Make it the other world, past the guards; `only`: in what this reader said."""
    with superuser(cast) as owner:
        for table, change in changes.items():
            guards = owner.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
                [table],
            ).fetchall()
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            where = " WHERE reader_id = %(reader)s" if only else ""
            told = {"reader": only and only.id}
            done = owner.execute(f"UPDATE {table} SET {change}{where}", told)  # noqa: S608 - ours
            assert done.rowcount > 0, table
            if table == "prediction":
                draw_maps_anew(cast, owner)
            for (guard,) in guards:
                owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")


@contextmanager
def two_worlds(
    postgres: str, template: Cast, prepare: Callable[[Cast], object]
) -> Iterator[tuple[Site, Site]]:
    """A copy of the open study after `prepare`, and a copy of that: to be turned round."""
    with copy_of(postgres, "open_cast") as url:
        prepared = replace(template, database=Database(url, secret=None))
        prepare(prepared)
        prepared.database.close()
        with copy_of(postgres, conninfo_to_dict(url)["dbname"]) as other:
            sites = [
                Site(replace(template, database=Database(at, secret=None))) for at in (url, other)
            ]
            yield sites[0], sites[1]
            for site in sites:
                site.cast.database.close()


# ---------------------------------------------------------------- asking both for everything

LINK = re.compile(r"""(?:href|src|action|hx-post|hx-get|data-[a-z-]+)=["'](/[^"'#]*)""")
# What is drawn anew for every page.
DRAWN = re.compile(rb'name="submission_id" value="[0-9a-f-]{36}"')


@dataclass(frozen=True)
class Said:
    """An answer, without what chance put into it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @classmethod
    def of(cls, answer: Response) -> "Said":
        """Return the answer as it is compared."""
        body = DRAWN.sub(b"(drawn)", answer.content)
        return cls(answer.status_code, tuple(answer.headers.raw), body)


def addresses(site: Site) -> set[str]:
    """Every GET route, with what is there of this study, and with what is nowhere."""
    cast = site.cast
    with superuser(cast) as owner:
        (case,) = owner.execute("SELECT id FROM study_case ORDER BY code LIMIT 1").fetchone()
        ids = {
            "{assignment}": owner.execute(
                "SELECT id FROM assignment WHERE position <= 3 ORDER BY reader_id, position"
            ).fetchall(),
            "{reading}": owner.execute("SELECT id FROM reading ORDER BY locked_at").fetchall(),
        }
    values: dict[str, object] = {
        "code": "bcc-sk",
        "case": case,
        "person": cast.rita.id,
        "account": cast.rita.id,
        "reader": "R01",
        "figure": "bars",
        "form": "svg",
        "name": "readings.csv",
        "model": cast.study.model_version_id,
    }
    asked: set[str] = {"/nothing"}
    for route in routes_of(site.app):
        if "GET" not in route.methods:
            continue
        several = [rows for place, rows in ids.items() if place in route.path]
        for (one,) in [*(several[0] if several else []), (ABSENT,)]:
            for position in (1, 2):
                place = {"assignment": one, "position": position, "reading": one}
                asked.add(route.path.format_map(Places({**values, **place})))
    return asked


def crawl(site: Site, browser: TestClient, headers: dict[str, str]) -> dict[tuple[str, str], Said]:
    """By method and address, with its query: all that is answered, and all that this names."""
    found: dict[tuple[str, str], Said] = {}
    waiting = sorted(addresses(site))
    while waiting:
        here = waiting.pop()
        if ("GET", here) in found or not here.startswith("/") or "/static/" in here:
            continue
        answer = browser.get(here, headers=headers)
        found["GET", here] = Said.of(answer)
        if "/overlays/" in here or "/images/" in here:
            found["HEAD", here] = Said.of(browser.head(here, headers=headers))
        if answer.headers.get("content-type", "").startswith("text/html"):
            waiting += [link.replace("&amp;", "&") for link in LINK.findall(answer.text)]
        if "location" in answer.headers:
            waiting.append(answer.headers["location"])
    assert len(found) >= 80
    return found


def differences(
    worlds: tuple[Site, Site], cookie: str, headers: dict[str, str] | None = None
) -> list[str]:
    """What the two worlds answer differently to whoever has this session."""
    said: list[dict[tuple[str, str], Said]] = []
    for site in worlds:
        with site.browser() as browser:
            browser.cookies.set("reread", cookie)
            said.append(crawl(site, browser, headers or {}))
    one, other = said
    assert {answer.status for answer in one.values()} >= {200, 403, 404}
    places = one.keys() | other.keys()
    return sorted(" ".join(place) for place in places if one.get(place) != other.get(place))


# ---------------------------------------------------------------- a reader, up to the lock

BEFORE = [ReadingState.ASSIGNED, ReadingState.SERVED, ReadingState.LOCKED]
# As programs and scripts ask: for a piece, for data, for what has changed, in another language.
OTHERWISE = {
    "HX-Request": "true",
    "Accept": "application/json",
    "Accept-Language": "zh-CN",
    "Range": "bytes=0-9",
    "If-None-Match": "*",
    "Purpose": "prefetch",
}


def others_have_read(cast: Cast) -> None:
    """Rolf has finished a case and is at the next one's AI."""
    finish(cast, cast.rolf)
    show_ai(cast, cast.rolf)


def session_of(cast: Cast, account: Account) -> str:
    return open_session(cast.database, account, now=Clock().now)


@pytest.mark.parametrize("state", BEFORE)
def test_b1_b5_b8_up_to_the_lock_a_reader_gets_the_same_answers_in_both_worlds(
    postgres: str, open_template: Cast, state: ReadingState
) -> None:
    cookie = ""

    def prepare(cast: Cast) -> None:
        nonlocal cookie
        others_have_read(cast)
        bring_to(cast, cast.rita, state)
        cookie = session_of(cast, cast.rita)

    with two_worlds(postgres, open_template, prepare) as worlds:
        turn(worlds[1].cast, TRUTH_AND_AI)
        turn(worlds[1].cast, CALLS, only=worlds[1].cast.rolf)
        assert differences(worlds, cookie) == []
        assert differences(worlds, cookie, OTHERWISE) == []


def test_b1_after_the_reveal_page_and_map_of_that_case_differ_and_nothing_else(
    postgres: str, open_template: Cast
) -> None:
    """So that the test above can fail: what is shown is noticed."""
    cookie, assignment = "", ABSENT

    def prepare(cast: Cast) -> None:
        nonlocal cookie, assignment
        assignment = bring_to(cast, cast.rita, ReadingState.REVEALED)
        cookie = session_of(cast, cast.rita)

    with two_worlds(postgres, open_template, prepare) as worlds:
        turn(worlds[1].cast, TRUTH_AND_AI)
        found = {place.split("?")[0] for place in differences(worlds, cookie)}
    assert found == {f"GET /readings/{assignment}/overlays/1", "GET /studies/bcc-sk/read"}


def steps(site: Site, cookie: str) -> list[tuple[str, Said]]:
    """What Rita's browser is answered at each step of a case, and too early ones between."""
    with superuser(site.cast) as owner:
        (assignment,) = owner.execute(
            "SELECT id FROM assignment WHERE reader_id = %s AND position = 1", [site.cast.rita.id]
        ).fetchone()
    form = {"call": "BCC", "confidence": "70", "submission_id": SUBMISSION}
    case, forward = f"/readings/{assignment}", "/studies/bcc-sk/next"
    posts: list[tuple[str, dict[str, str]]] = [
        (f"{case}/reveal", {}),
        (f"{case}/unaided", form),
        (f"{case}/aided", form),
        (forward, {}),
        (f"{case}/reveal", {}),
        (f"{case}/aided", form),
        (f"{case}/unaided", {**form, "confidence": "x"}),
        (f"{case}/unaided", form),
        (f"{case}/unaided", form),
        (f"{case}/unaided", {**form, "call": "SK"}),
        (f"{case}/aided", form),
        (forward, {}),
        (f"{case}/reveal", {}),
    ]
    with site.browser() as browser:
        browser.cookies.set("reread", cookie)
        said = [(path, Said.of(browser.post(path, data=data))) for path, data in posts]
        pages = ("/studies/bcc-sk/read", f"{case}/overlays/1")
        return [*said, *((path, Said.of(browser.get(path))) for path in pages)]


def test_b1_the_answers_to_each_step_are_the_same_and_only_what_is_revealed_differs(
    postgres: str, open_template: Cast
) -> None:
    cookie = ""

    def prepare(cast: Cast) -> None:
        nonlocal cookie
        cookie = session_of(cast, cast.rita)

    with two_worlds(postgres, open_template, prepare) as worlds:
        turn(worlds[1].cast, TRUTH_AND_AI)
        one, other = (steps(site, cookie) for site in worlds)
    statuses = [said.status for _path, said in one]
    assert statuses == [409, 409, 409, 303, 409, 409, 422, 303, 303, 409, 409, 303, 303, 200, 200]
    differing = [
        at for at, (mine, theirs) in enumerate(zip(one, other, strict=True)) if mine != theirs
    ]
    assert [one[at][0].rsplit("/", maxsplit=1)[1] for at in differing] == ["read", "1"]


# ---------------------------------------------------------------- a coordinator, up to unblinding


def everybody_has_read(cast: Cast) -> None:
    for reader in (cast.rita, cast.rolf):
        finish(cast, reader)
        lock_aided_call(cast, reader, show_ai(cast, reader), call())


@pytest.mark.parametrize("state", ["open", "closed"])
def test_b9_up_to_unblinding_a_coordinator_gets_the_same_answers_in_both_worlds(
    postgres: str, open_template: Cast, state: str
) -> None:
    """No accuracy, no count, no place in a list depends on truth, AI or calls."""
    cookie = token = ""

    def prepare(cast: Cast) -> None:
        nonlocal cookie, token
        everybody_has_read(cast)
        if state == "closed":
            close(cast)
        cookie = session_of(cast, cast.cora)
        token = make_token(Site(cast), "read", "write", "export")

    with two_worlds(postgres, open_template, prepare) as worlds:
        turn(worlds[1].cast, {**TRUTH_AND_AI, **CALLS})
        assert differences(worlds, cookie) == []
        of_programs = [crawl(site, program(site, token), {}) for site in worlds]
    assert of_programs[0]["GET", "/api/v1/studies/bcc-sk/readers"].status == 200
    assert of_programs[0] == of_programs[1]


# ---------------------------------------------------------------- and after it


def looks(cast: Cast) -> int:
    with superuser(cast) as owner:
        found = owner.execute(
            "SELECT count(*) FROM audit_event WHERE action IN ('results.viewed', 'export.made')"
        )
        return found.fetchone()[0]


def test_b9_l7_after_unblinding_whatever_depends_on_truth_ai_or_calls_is_written_down(
    postgres: str, open_template: Cast
) -> None:
    """Not only the pages that are known to show it."""
    cookie = ""

    def prepare(cast: Cast) -> None:
        nonlocal cookie
        for reader in (cast.rita, cast.rolf):
            for _ in range(6):
                finish(cast, reader)
        unblind(cast)
        cookie = session_of(cast, cast.cora)

    with two_worlds(postgres, open_template, prepare) as worlds:
        turn(worlds[1].cast, {**TRUTH_AND_AI, **CALLS})
        found = differences(worlds, cookie)
        assert {"GET /studies/bcc-sk/results", "GET /studies/bcc-sk/export/readings.csv"} <= {
            *found
        }
        site = worlds[0]
        with site.browser() as browser:
            browser.cookies.set("reread", cookie)
            for place in found:
                before = looks(site.cast)
                assert browser.get(place.removeprefix("GET ")).status_code == 200, place
                assert looks(site.cast) > before, f"{place}: looked at, and not written down"
