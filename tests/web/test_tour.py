"""The tour: its stops are pages that its people can open, and only a demonstration has it."""

import re
from html import unescape

import pytest
from starlette.testclient import TestClient

from app.actions.manage_accounts import add_account
from app.actions.read_case import lock_unaided, reveal
from app.db.session import Role
from app.demo_tour import PASSWORD, READER, TOUR
from app.main import build_app, surround
from app.settings import Settings
from app.web.access import routes_of
from app.web.tour import Tour, Touring
from tests.conftest import Cast
from tests.reading.steps import call, serve
from tests.web.site import Site

PANEL = re.compile(r'<aside class="tour.*?</aside>', re.DOTALL)


class TouredSite(Site):
    """The site of a demonstration."""

    def __init__(self, cast: Cast) -> None:
        super().__init__(cast)
        settings = Settings.from_environment({"REREAD_STORAGE": cast.storage.url})
        self.app = build_app(settings, cast.database, clock=self.clock, on_tour=TOUR)
        self.protected = surround(self.app, public_url=None)


@pytest.fixture
def toured(cast: Cast) -> TouredSite:
    return TouredSite(cast)


def panel(browser: TestClient, path: str) -> str | None:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    found = PANEL.search(answer.text)
    return found[0] if found else None


def test_a_real_installation_has_no_tour(site: Site) -> None:
    paths = {route.path for route in routes_of(site.app)}
    assert not any("tour" in path for path in paths)
    rita = site.browser(site.cast.rita)
    assert rita.get("/tour").status_code == 404
    assert "our of the demonstration" not in rita.get("/").text
    assert "demonstration" not in site.browser().get("/sign-in").text


def test_the_start_page_names_everybody_with_what_they_can_do(toured: TouredSite) -> None:
    page = unescape(toured.browser().get("/tour").text)
    assert '<a class="button primary" href="/tour">' in toured.browser().get("/sign-in").text
    for person in TOUR.people:
        assert person.email in page
        assert person.can in page
    for stop in TOUR.stops:
        assert stop.title in page
    assert "generated and show no patient" in page
    assert "simulated" in page


def test_one_button_signs_in_as_the_person_of_the_stop_and_goes_there(toured: TouredSite) -> None:
    with toured.cast.begin(Role.ACCOUNT, None) as connection:
        add_account(
            connection, email=READER.email, name=READER.name, role=READER.role, password=PASSWORD
        )
    browser = toured.browser()
    page = browser.get("/tour").text
    form = re.search(r'<form method="post" action="/sign-in">(.*?)</form>', page, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[1]))
    answer = browser.post("/sign-in", data=fields)
    assert answer.headers["location"] == TOUR.stops[0].path
    assert "stop 1 of 8" in (panel(browser, "/") or "")


@pytest.mark.parametrize("number", range(1, len(TOUR.stops) + 1))
def test_each_stop_leads_to_the_next(number: int) -> None:
    stop = TOUR.stops[number - 1]
    assert TOUR.number_at(stop.path) == number
    here = Touring(TOUR, number, ended=False)
    assert here.stop is stop
    assert here.following is (TOUR.stops[number] if number < len(TOUR.stops) else None)


def test_the_line_is_shown_to_the_person_of_the_stop_alone(toured: TouredSite) -> None:
    rita, cora = toured.browser(toured.cast.rita), toured.browser(toured.cast.cora)
    assert "A reader" in (panel(rita, "/") or "")
    assert panel(cora, "/") is None, "stop 1 is a reader's"
    assert panel(rita, "/keys") is None, "no stop"


def test_whoever_ends_the_tour_sees_it_again_from_its_own_page_on(toured: TouredSite) -> None:
    rita = toured.browser(toured.cast.rita)
    assert panel(rita, "/")
    ended = rita.post("/tour/ended", data={"next": "/keys"})
    assert (ended.status_code, ended.headers["location"]) == (303, "/keys")
    assert panel(rita, "/") is None
    rita.get("/tour")
    assert panel(rita, "/")
    away = rita.post("/tour/ended", data={"next": "https://elsewhere.example"})
    assert away.headers["location"] == "/"


def test_b1_what_the_tour_says_is_fixed_before_anybody_reads(
    toured: TouredSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the reading room it is the same to the byte before the lock, after it, at the reveal."""
    cast = toured.cast
    room = "/studies/bcc-sk/read"
    monkeypatch.setattr(Tour, "number_at", lambda _tour, path: 2 if path == room else None)
    rita = toured.browser(cast.rita)
    assignment = serve(cast, cast.rita)
    before = panel(rita, room)
    with cast.begin(Role.READER, cast.rita) as connection:
        lock_unaided(connection, assignment_id=assignment, submission=call())
    locked = panel(rita, room)
    with cast.begin(Role.READER, cast.rita) as connection:
        reveal(connection, assignment_id=assignment)
    assert before is not None
    assert TOUR.stops[1].title in before
    assert before == locked == panel(rita, room)
