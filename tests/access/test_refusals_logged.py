"""What a person's part does not allow is written down, whatever became of the request (L6)."""

import json

from tests.access.test_api import make_token, program
from tests.conftest import Cast
from tests.reading.steps import superuser
from tests.web.site import Site


def refusals(cast: Cast) -> list[tuple[str, str]]:
    """Who was refused, and what."""
    with superuser(cast) as owner:
        found = owner.execute(
            "SELECT actor, payload FROM audit_event WHERE action = 'request.refused' ORDER BY seq"
        ).fetchall()
    return [(actor, " ".join(json.loads(payload).values())) for actor, payload in found]


def test_l6_a_readers_try_at_a_coordinators_page_is_an_event(site: Site) -> None:
    cast = site.cast
    assert site.browser(cast.rita).post("/studies/bcc-sk/close").status_code == 403
    (event,) = refusals(cast)
    assert event[0] == str(cast.rita.id)
    assert set(event[1].split()) == {"POST", "/studies/{code}/close"}


def test_l6_the_same_refusal_fills_no_log(site: Site) -> None:
    cast = site.cast
    browser = site.browser(cast.rita)
    for _ in range(5):
        browser.get("/studies/new")
    browser.get("/tokens")
    site.browser(cast.rolf).get("/tokens")
    assert len(refusals(cast)) == 3


def test_l6_a_token_without_the_scope_is_an_event(site: Site) -> None:
    client = program(site, make_token(site, "read"))
    answer = client.post("/api/v1/studies", data={"code": "x1", "title": "A title"})
    assert answer.status_code == 403
    ((who, what),) = refusals(site.cast)
    assert who == str(site.cast.cora.id)
    assert "/api/v1/studies" in what


def test_l6_nobody_and_what_is_not_there_are_no_events(site: Site) -> None:
    site.browser().get("/studies/bcc-sk")
    site.browser(site.cast.olga).get("/studies/bcc-sk")
    site.browser().post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert refusals(site.cast) == []
