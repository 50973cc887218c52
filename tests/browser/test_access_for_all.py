"""WCAG 2.2 AA by axe-core on the reader's pages in every state; keys alone; zoom; weight."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from app.domain.study_design import StudyDesign
from tests.browser.conftest import Person, Site, serving
from tests.browser.test_reading_room import answer, see_image, see_opinion
from tests.conftest import Cast
from tests.reading.designs import opened

AA = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
HEAVIEST = 300_000  # bytes over the wire, beside images


def breaches(page: Page) -> list[str]:
    """What axe finds wrong: its rule, and where."""
    found = Axe().run(page, options=AA).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page_of_a_reader(
    draft: Cast, browser: Browser, scheme: str
) -> None:
    design = StudyDesign(ask_management=True, ask_comment=True, cases_per_sitting=1)
    cast = opened(draft, design)
    seen: dict[str, list[str]] = {}
    with (
        serving(cast.database, cast.storage, browser) as site,
        site.person(color_scheme=scheme, reduced_motion="reduce") as rita,
    ):
        page = rita.page

        def look(name: str) -> None:
            seen[name] = breaches(page)

        rita.goto("/sign-in")
        look("sign in")
        rita.sign_in("rita@example.org")
        look("studies")
        rita.goto("/keys")
        look("keys")
        rita.goto("/studies/bcc-sk/start")
        look("about you")
        rita.goto("/studies/bcc-sk/read")
        look("instructions")
        page.get_by_role("button", name=re.compile("Start")).click()
        see_image(rita)
        look("unaided call")
        page.get_by_text("All keys").click()
        page.locator("#room-heading").focus()
        answer(rita, "!")
        expect(page.locator("[data-incomplete]")).to_be_visible()
        look("something is missing")
        page.route("**/unaided", lambda route: route.abort())
        answer(rita, "b7y!")
        expect(page.locator("[data-unsaved]")).to_be_visible()
        look("not saved yet")
        page.unroute("**/unaided")
        see_opinion(rita)
        look("call with the model")
        answer(rita, "c")
        expect(page.locator("[data-plain][data-opened]")).to_be_visible()
        look("map beside the image")
        answer(rita, "s6n!")
        page.wait_for_selector("[data-state=between]")
        look("end of a sitting")
        rita.goto("/studies/none/read")
        look("no such study")
        rita.complaints.clear()  # the aborted requests are logged by the browser
    assert {name: found for name, found in seen.items() if found} == {}
    assert len(seen) == 12


def test_a_whole_sitting_goes_by_tab_enter_and_letters_from_the_sign_in_on(site: Site) -> None:
    with site.person() as rita:
        keyboard = rita.page.keyboard

        def tab_to(name: str) -> None:
            """Go on with Tab until something of that name has the focus; it must be seen there."""
            for _ in range(40):
                keyboard.press("Tab")
                focused = rita.page.evaluate(
                    """() => {
                        const at = document.activeElement;
                        const place = at.getBoundingClientRect();
                        const told = at.matches("a, button, input");
                        return [told ? at.innerText || at.name : "",
                            getComputedStyle(at).outlineStyle,
                            place.width * place.height];
                    }"""
                )
                if name in focused[0]:
                    assert focused[1] != "none"
                    assert focused[2] > 0
                    return
            raise AssertionError(f"Tab never came to {name}")

        rita.goto("/sign-in")
        tab_to("email")
        keyboard.type("rita@example.org")
        keyboard.press("Tab")
        keyboard.type("a password for the tests")
        keyboard.press("Enter")
        rita.page.wait_for_url(site.address + "/")
        tab_to("Start reading")
        keyboard.press("Enter")
        rita.page.wait_for_selector("[data-state=start]")
        tab_to("Start with case 1")
        keyboard.press("Enter")
        for number in range(1, 7):
            expect(rita.page.get_by_text(f"Case {number} of 6")).to_be_visible()
            see_image(rita)
            answer(rita, "b7!")
            see_opinion(rita)
            answer(rita, "s6!")
        expect(rita.page.get_by_text("Thank you: all 6 cases are done")).to_be_visible()
        tab_to("Sign out")
        keyboard.press("Enter")
        expect(rita.page.get_by_role("button", name="Sign in")).to_be_visible()


PRESSED = "main button, main .option, main .check, main input[type=range], main summary"


def targets(page: Page) -> list[str]:
    """Everything to press in the room that is smaller than 44 by 44 pixels."""
    return page.evaluate(
        """(pressed) => [...document.querySelectorAll(pressed)]
            .filter((at) => at.offsetParent)
            .map((at) => [at.innerText || at.className, at.getBoundingClientRect()])
            .filter(([, place]) => place.height < 43.5 || place.width < 43.5)
            .map(([name, place]) => `${name} ${place.width}x${place.height}`)""",
        PRESSED,
    )


@pytest.mark.parametrize(
    ("width", "height", "by"),
    [(768, 1024, "finger"), (1024, 768, "finger"), (1440, 900, "mouse"), (640, 400, "mouse")],
    ids=["tablet upright", "tablet", "desktop", "desktop at 200 %"],
)
def test_everything_is_in_reach_at_every_size(site: Site, width: int, height: int, by: str) -> None:
    with site.person(has_touch=by == "finger") as rita:
        rita.page.set_viewport_size({"width": width, "height": height})
        begin(rita)
        assert targets(rita.page) == []
        answer(rita, "b7")
        rita.page.locator("[data-lock]").scroll_into_view_if_needed()
        rita.page.locator("[data-lock]").click()
        see_opinion(rita)
        assert targets(rita.page) == []
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert rita.page.evaluate(wide) == 0, "nothing is to be read by scrolling sideways"


def begin(person: Person) -> None:
    person.sign_in("rita@example.org")
    person.goto("/studies/bcc-sk/read")
    person.page.get_by_role("button", name=re.compile("Start")).click()
    see_image(person)


def test_no_page_of_a_reader_weighs_more_than_300_kb_beside_images(site: Site) -> None:
    with site.person() as rita:
        rita.sign_in("rita@example.org")
        network = rita.page.context.new_cdp_session(rita.page)
        network.send("Network.enable")
        weights: dict[str, int] = {}
        kinds: dict[str, str] = {}
        network.on(
            "Network.responseReceived",
            lambda said: kinds.update({said["requestId"]: said["type"]}),
        )
        network.on(
            "Network.loadingFinished",
            lambda said: weights.update({said["requestId"]: said["encodedDataLength"]}),
        )
        rita.goto("/studies/bcc-sk/read")
        rita.page.get_by_role("button", name=re.compile("Start")).click()
        see_image(rita)
        rita.page.wait_for_load_state("networkidle")
    assert "Script" in kinds.values()
    weight = sum(weights[each] for each, kind in kinds.items() if kind != "Image")
    assert 10_000 < weight < HEAVIEST
