"""WCAG 2.2 AA by axe-core on the reader's pages in every state; keys alone; zoom; weight."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from app.db.session import Database
from app.domain.study_design import StudyDesign
from app.storage import Storage
from tests.browser.conftest import Site, serving
from tests.browser.states import press, see, study_in_full
from tests.browser.test_reading_room import answer, see_image, see_opinion, start
from tests.conftest import PASSWORD, Cast
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


def tab_to(page: Page, name: str) -> None:
    """Go on with Tab until something of that name has the focus, and can be seen to have it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused, seen = page.evaluate(
            """() => { const at = document.activeElement;
                const place = at.getBoundingClientRect();
                const told = at.matches("a, button, input, select, textarea");
                return [told ? at.name || at.innerText : "",
                    getComputedStyle(at).outlineStyle !== "none" && place.width * place.height > 0];
            }"""
        )
        if name in focused:
            assert seen, f"{name} has the focus, and does not show it"
            return
    raise AssertionError(f"Tab never came to {name}")


def focus_is_at_the_case(page: Page) -> None:
    """After each step the focus is at the case, whose heading says where one is."""
    page.wait_for_function("() => document.activeElement?.id === 'room-heading'")


def test_a_whole_sitting_goes_by_tab_enter_and_letters_from_the_sign_in_on(site: Site) -> None:
    with site.person() as rita:
        keyboard = rita.page.keyboard

        rita.goto("/sign-in")
        tab_to(rita.page, "email")
        keyboard.type("rita@example.org")
        keyboard.press("Tab")
        keyboard.type("a password for the tests")
        keyboard.press("Enter")
        rita.page.wait_for_url(site.address + "/")
        tab_to(rita.page, "Start reading")
        keyboard.press("Enter")
        rita.page.wait_for_selector("[data-state=start]")
        tab_to(rita.page, "Start with case 1")
        keyboard.press("Enter")
        for number in range(1, 7):
            expect(rita.page.get_by_text(f"Case {number} of 6")).to_be_visible()
            see_image(rita)
            answer(rita, "b7!")
            see_opinion(rita)
            answer(rita, "s6!")
        expect(rita.page.get_by_text("Thank you: all 6 cases are done")).to_be_visible()
        tab_to(rita.page, "Sign out")
        keyboard.press("Enter")
        expect(rita.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_study_with_consent_profile_and_questions_goes_by_keys_alone(
    database: Database, storage: Storage, browser: Browser
) -> None:
    """No mouse, no touch: from the address of the sign-in page to the last case and out again."""
    cast = study_in_full(database, storage)
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        page, keyboard = rita.page, rita.page.keyboard
        rita.goto("/sign-in")
        tab_to(page, "email")
        keyboard.type("rita@example.org")
        keyboard.press("Tab")
        keyboard.type(PASSWORD)
        keyboard.press("Enter")
        page.wait_for_url(site.address + "/")
        tab_to(page, "Start reading")
        keyboard.press("Enter")
        page.wait_for_url("**/start")
        tab_to(page, "years_experience")
        keyboard.type("12")
        for name in ("specialty", "training"):
            tab_to(page, name)
            keyboard.press("ArrowDown")
        tab_to(page, "accepted")
        keyboard.press("Space")
        tab_to(page, "Save and go on")
        keyboard.press("Enter")
        page.wait_for_selector("[data-state=start]")
        tab_to(page, "Start with case 1")
        keyboard.press("Enter")
        for number in range(1, 7):
            see(page, "served")
            focus_is_at_the_case(page)
            press(page, "b7y")
            if number == 1:  # this one by Tab and Space instead of letters
                tab_to(page, "Lock this call")
                keyboard.press("Space")
            else:
                press(page, "!")
            see(page, "revealed")
            focus_is_at_the_case(page)
            press(page, "s6n!")
            if number in {1, 4}:  # the training case; the end of a sitting
                see(page, "between")
                page.wait_for_function(
                    "() => document.activeElement?.matches('[data-focus-first]:enabled')"
                )
                keyboard.press("Enter")
        see(page, "over")
        expect(page.get_by_text("Thank you: all 6 cases are done")).to_be_visible()
        tab_to(page, "Sign out")
        keyboard.press("Enter")
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_chosen_is_chosen_also_in_forced_colours(site: Site) -> None:
    with site.person(forced_colors="active") as rita:
        start(rita)
        outline = "(at) => getComputedStyle(at).outlineStyle + getComputedStyle(at).outlineWidth"
        faces = rita.page.locator(".option-face")
        assert faces.first.evaluate(outline) == faces.last.evaluate(outline)
        answer(rita, "b7")
        assert faces.first.evaluate(outline) != faces.last.evaluate(outline)


# A link within a sentence needs no such size (WCAG 2.5.8); everything else in the room does.
PRESSED = (
    "main button, main .option, main .check, main input:not([type=hidden], .option input, "
    ".check input), main select, main textarea, main summary, main a.button, .masthead a, "
    ".masthead button"
)


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
        start(rita)
        assert targets(rita.page) == []
        answer(rita, "b7")
        rita.page.locator("[data-lock]").scroll_into_view_if_needed()
        rita.page.locator("[data-lock]").click()
        see_opinion(rita)
        assert targets(rita.page) == []
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert rita.page.evaluate(wide) == 0, "nothing is to be read by scrolling sideways"


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
