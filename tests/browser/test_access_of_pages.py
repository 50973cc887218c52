"""WCAG 2.2 AA by axe-core, and no scrolling sideways, on every page outside of the reading room.

The pages of the coordinator, the adjudicator and the administrator, before there is anything on
them and afterwards; the door, the refusals, and the tour of the demonstration.
"""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from app.actions.design_study import create_study
from app.actions.manage_accounts import add_account
from app.db.session import Role
from app.demo_tour import PASSWORD, TOUR
from app.domain.access import AccountRole
from tests.browser.conftest import Person, Site, serving
from tests.browser.test_access_for_all import breaches
from tests.conftest import PASSWORD as MEMBERS_PASSWORD
from tests.conftest import Cast, make_account
from tests.reading.additions import import_more
from tests.reading.steps import close, exclude, finish, lock, unblind

WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
AT_200_PERCENT = {"width": 640, "height": 400}
DESKTOP = {"width": 1280, "height": 800}
HERE = "/studies/bcc-sk"


class Look:
    """What axe finds on each page, and which are wider than the window at 200 per cent."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.found: dict[str, list[str]] = {}
        self.wide: dict[str, int] = {}
        self.state = ""

    def at(self, *paths: str) -> None:
        for path in paths:
            self.person.goto(path)
            self.here(path)

    def here(self, name: str) -> None:
        name = f"{self.state} {name}"
        page = self.person.page
        self.found[name] = breaches(page)
        page.set_viewport_size(AT_200_PERCENT)
        self.wide[name] = page.evaluate(WIDE)
        page.set_viewport_size(DESKTOP)

    def was_clean(self, *, pages: int) -> None:
        self.person.complaints.clear()  # the browser logs each refusal that was looked at
        assert {name: found for name, found in self.found.items() if found} == {}
        assert {name: wide for name, wide in self.wide.items() if wide > 0} == {}
        assert len(self.found) == pages


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_on_which_there_is_nothing_yet(cast: Cast, browser: Browser, scheme: str) -> None:
    with cast.begin(Role.COORDINATOR, cast.olga) as connection:
        create_study(connection, code="first", title="A first study", seed=1, by=cast.olga)
    make_account(cast.database, "new@example.org", AccountRole.READER)
    options = {"color_scheme": scheme, "reduced_motion": "reduce"}
    with serving(cast.database, cast.storage, browser) as site:
        with site.person(**options) as nobody:
            look = Look(nobody)
            look.at("/sign-in", "/lost-password", "/sign-in/code", "/invitations/" + "x" * 43)
            nobody.goto("/sign-in")
            nobody.page.fill("[name=email]", "rita@example.org")
            nobody.page.fill("[name=password]", "not this one")
            nobody.page.click("main button[type=submit]")
            expect(nobody.page.locator("#password-wrong")).to_be_visible()
            look.here("a wrong password")
            look.was_clean(pages=5)
        with site.person(**options) as olga:
            olga.sign_in("olga@example.org")
            look = Look(olga)
            look.at(*(f"/studies/first{part}" for part in (
                "", "/cases", "/cases?flagged=yes", "/readers", "/monitor", "/design", "/letters",
                "/consent", "/import", "/addition", "/seen-before", "/results",
                "/unblind")))  # fmt: skip
            look.at("/tokens", "/account", "/nothing", "/accounts", "/studies/new", "/api/docs")
            olga.page.goto(site.address + "/studies/new")
            olga.page.fill("[name=title]", "A second one")
            olga.page.fill("[name=code]", "first")
            olga.page.click("main form button[type=submit]")
            expect(olga.page.locator("#code-wrong")).to_be_visible()
            expect(olga.page.locator("#code")).to_be_focused()
            look.here("a name that is taken")
            look.was_clean(pages=20)
        with site.person(**options) as new:
            new.sign_in("new@example.org")
            look = Look(new)
            look.at("/", "/keys")
            look.was_clean(pages=2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_a_study_under_way_and_of_its_results(
    cast: Cast, browser: Browser, scheme: str
) -> None:
    for _ in range(6):
        finish(cast, cast.rita)
    lock(cast, cast.rolf)
    exclude(cast)
    import_more(cast)
    make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    options = {"color_scheme": scheme, "reduced_motion": "reduce"}
    with serving(cast.database, cast.storage, browser) as site:
        with site.person(**options) as cora:
            cora.sign_in("cora@example.org")
            look = Look(cora)
            look.at("/", *(HERE + part for part in (
                "", "/cases", "/readers", "/monitor", "/design", "/letters", "/addition",
                "/preview", "/import", f"/readers/{cast.rita.id}?number=1")))  # fmt: skip
            reading = re.search(rf"{HERE}/readings/[0-9a-f-]{{36}}", cora.page.content())
            assert reading is not None
            look.at(reading[0])
            close(cast)
            look.state = "closed"
            look.at(HERE + "/unblind", HERE + "/monitor")
            unblind(cast)
            look.state = "unblinded"
            look.at(HERE, HERE + "/results", HERE + "/audit", HERE + "/audit?kind=none")
            look.was_clean(pages=18)
        with site.person(**options) as ada:
            ada.goto("/sign-in?next=/log")  # an administrator's first page is the list of accounts
            ada.page.fill("[name=email]", "ada@example.org")
            ada.page.fill("[name=password]", MEMBERS_PASSWORD)
            ada.page.click("main button[type=submit]")
            ada.page.wait_for_url("**/log")
            look = Look(ada)
            look.at("/accounts", "/log", f"/accounts/{cast.rita.id}")
            look.was_clean(pages=3)


@pytest.fixture
def toured(cast: Cast, browser: Browser) -> Cast:
    """The people of the demonstration, beside the cast."""
    del browser
    for person in TOUR.people:
        with cast.begin(Role.ACCOUNT, None) as connection:
            add_account(
                connection,
                email=person.email,
                name=person.name,
                role=person.role,
                password=PASSWORD,
            )
    return cast


def tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "document.activeElement.matches('a, button') ? document.activeElement.innerText : ''"
        )
        if name in focused:
            return
    raise AssertionError(f"Tab never came to {name}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tour_goes_by_keyboard_and_has_no_breach(
    toured: Cast, browser: Browser, scheme: str
) -> None:
    with (
        serving(toured.database, toured.storage, browser, on_tour=TOUR) as site,
        site.person(color_scheme=scheme, reduced_motion="reduce") as visitor,
    ):
        page = visitor.page
        look = Look(visitor)
        look.at("/sign-in", "/tour")
        visitor.goto("/sign-in")
        tab_to(page, "Take the tour")
        page.keyboard.press("Enter")
        page.wait_for_url(site.address + "/tour")
        tab_to(page, "Begin the tour")
        page.keyboard.press("Enter")
        page.wait_for_url(site.address + "/")
        expect(page.get_by_text("Tour, stop 1 of 8")).to_be_visible()
        look.here("the line of the tour")
        tab_to(page, "End the tour")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Tour, stop 1 of 8")).to_have_count(0)
        look.was_clean(pages=3)


def test_the_tour_goes_on_without_scripts_as_another_person(toured: Cast, browser: Browser) -> None:
    with (
        serving(toured.database, toured.storage, browser, on_tour=TOUR) as site,
        site.person(java_script_enabled=False) as visitor,
    ):
        page = visitor.page
        visitor.goto("/tour")
        page.get_by_role("button", name="Go there as Demo administrator").click()
        page.wait_for_url(site.address + "/accounts")
        expect(page.get_by_text("Tour, stop 8 of 8")).to_be_visible()
        page.get_by_role("link", name="That was the tour").click()
        page.get_by_role("button", name="Go there as Demo reader 1").first.click()
        page.wait_for_url(site.address + "/")
        expect(page.get_by_text("Tour, stop 1 of 8")).to_be_visible()


def test_a_filter_that_finds_nothing_says_so(site: Site) -> None:
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto(HERE + "/cases")
        cora.page.get_by_label("Show only those with this text").fill("no such case")
        expect(cora.page.locator(".filter [role=status]")).to_have_text(
            "None of the 6 has this text. Empty the field to see them."
        )
