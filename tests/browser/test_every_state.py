"""What holds in every state of the reading room, at every size of screen."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.db.session import Database, Role
from app.storage import Storage
from tests.browser.conftest import Site, serving
from tests.browser.states import SIZES, press, see, study_in_full, walk
from tests.browser.test_access_for_all import targets
from tests.browser.test_reading_room import start
from tests.conftest import Cast
from tests.reading.designs import DESIGNS, arm_of, opened, read_on
from tests.reading.steps import at, close, finish, serve

# A folder to keep a picture of each state in, and one of photographs to show in them.
PICTURES = os.environ.get("REREAD_SCREENSHOTS")
PHOTOGRAPHS = os.environ.get("REREAD_TEST_IMAGES")
IN_THE_ROOM = {"served", "locked", "revealed"}

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What lies over another's words: two texts of the stage that share pixels.
OVERLAPS = """() => {
    const words = [...document.querySelectorAll(
            ".stage figcaption > *, .legend > *, .tools button, .tools input")]
        .filter((at) => at.offsetParent && at.getBoundingClientRect().width > 1);
    const found = [];
    for (const [number, one] of words.entries()) for (const other of words.slice(number + 1)) {
        const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 1 && down > 1) found.push(`${one.innerText} over ${other.innerText}`);
    }
    return found;
}"""
CUT_OFF = """() => { const tools = document.querySelector(".tools");
    return tools ? tools.scrollWidth - tools.clientWidth : 0; }"""
LOCK = """() => { const lock = document.querySelector("[data-lock]");
    if (!lock) return true;
    const place = lock.getBoundingClientRect();
    const over = document.elementFromPoint(place.left + place.width / 2, place.top + 20);
    return place.top >= 0 && place.bottom <= innerHeight && lock.contains(over); }"""


def picture_of(page: Page, folder: str, name: str) -> None:
    """Keep a picture of the state, where somebody wants to look at them."""
    if PICTURES:
        file = re.sub(r"[^a-z0-9]+", "-", name)
        page.screenshot(path=Path(PICTURES) / folder / f"{file}.png")


def state_of(page: Page) -> str | None:
    room = page.locator("#room")
    return room.get_attribute("data-state") if room.count() else None


def stage_of(page: Page) -> dict[str, float]:
    return page.evaluate(
        """() => { const { x, y, width, height } =
            document.querySelector("[data-slides]").getBoundingClientRect();
            return { x, y: y + scrollY, width, height }; }"""
    )


@pytest.mark.parametrize("size", ["tablet-upright", "tablet", "hospital"])
def test_in_every_state_all_is_in_reach_and_nothing_lies_over_another(
    database: Database, storage: Storage, browser: Browser, size: str
) -> None:
    width, height, by = SIZES[size]
    photographs = Path(PHOTOGRAPHS) if PICTURES and PHOTOGRAPHS else None
    cast = study_in_full(database, storage, photographs)
    chinese = os.environ.get("REREAD_SCREENSHOTS_LOCALE", "en-GB")
    wrong: dict[str, object] = {}
    stages: list[dict[str, float]] = []
    seen: list[str] = []
    with (
        serving(cast.database, cast.storage, browser) as site,
        site.person(
            has_touch=by == "finger",
            reduced_motion="reduce",
            locale=chinese,
            color_scheme="dark" if size == "tablet" else "light",
        ) as rita,
    ):
        page = rita.page
        page.set_viewport_size({"width": width, "height": height})
        for name in walk(rita):
            seen.append(name)
            picture_of(page, size, f"{len(seen):02} {name}")
            found = {
                "smaller than a finger": targets(page),
                "sideways": page.evaluate(SIDEWAYS),
                "one over another": page.evaluate(OVERLAPS),
                "tools cut off": page.evaluate(CUT_OFF),
                "lock out of sight": not page.evaluate(LOCK),
            }
            wrong |= {f"{name}: {what}": one for what, one in found.items() if one}
            if state_of(page) in IN_THE_ROOM:
                stages.append(stage_of(page))
        rita.complaints.clear()  # the request that was cut off is logged by the browser
    assert wrong == {}
    assert len(seen) > 25
    assert len(stages) > 12
    assert all(stage == stages[0] for stage in stages), "the image keeps its place and size"


def test_what_was_typed_goes_along_into_another_language_and_locks_nothing(
    database: Database, storage: Storage, browser: Browser
) -> None:
    cast = study_in_full(database, storage)
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        page = rita.page
        for name in walk(rita):
            if name == "chosen":
                break
        page.fill("[name=comment]", "a rolled border")
        page.locator(".panel").get_by_role("button", name="简体中文").click()
        page.wait_for_selector("html[lang=zh-Hans-CN]")
        page.wait_for_selector("[data-viewer][data-opened]")
        assert page.locator("[name=call]:checked").get_attribute("value") == "BCC"
        assert page.input_value("[name=confidence]") == "70"
        assert page.input_value("[name=comment]") == "a rolled border"
        assert page.locator("[data-slider]").input_value() == "70"
        with cast.database.begin(Role.READER, actor=cast.rita.id) as connection:
            assert connection.execute("SELECT count(*) FROM reading").fetchone() == (0,)
        # Reloaded, it is the same page in the same language.
        rita.goto("/studies/bcc-sk/read")
        page.wait_for_selector("html[lang=zh-Hans-CN] [data-state=served]")
        assert page.locator("[name=call]:checked").count() == 0


def test_what_was_typed_for_another_question_is_no_answer_to_this_one(site: Site) -> None:
    with site.person() as rita:
        start(rita)
        address = rita.page.locator("[data-call-form]").get_attribute("action") or ""
        typed = {"call": "BCC", "confidence": "70", "language": "zh_Hans_CN"}
        case = address.split("/")[2]
        for phase, kept in (("unaided", 1), ("aided", 0)):
            answer = rita.page.request.post(
                f"{site.address}/studies/bcc-sk/read?case={case}&phase={phase}",
                form=typed,
                headers={"Origin": site.address},
            )
            assert answer.status == 200
            assert 'lang="zh-Hans-CN"' in answer.text()
            assert len(re.findall(r'value="BCC" required\s+checked', answer.text())) == kept
        typed["language"] = "xx"
        answer = rita.page.request.post(
            f"{site.address}/studies/bcc-sk/read",
            form=typed,
            headers={"Origin": site.address},
        )
        assert answer.status == 422


def test_the_cards_of_a_preview_hold_to_the_same_measures(draft: Cast, browser: Browser) -> None:
    wrong: dict[str, object] = {}
    with serving(draft.database, draft.storage, browser) as site, site.person() as cora:
        page = cora.page
        page.set_viewport_size({"width": 1366, "height": 768})
        cora.sign_in("cora@example.org")
        for step in (1, 2, 3, 4):
            cora.goto(f"/studies/bcc-sk/preview?step={step}")
            if step in {2, 3}:
                page.wait_for_selector("[data-viewer][data-opened]")
            picture_of(page, "hospital", f"preview {step}")
            found = [*targets(page), *page.evaluate(OVERLAPS)]
            if found or page.evaluate(SIDEWAYS) or not page.evaluate(LOCK):
                wrong[str(step)] = found
    assert wrong == {}


def test_a_phone_a_withheld_case_and_a_closed_study_have_their_words(
    draft: Cast, browser: Browser
) -> None:
    cast = opened(draft, DESIGNS["hidden_share"])
    while arm_of(cast, serve(cast, cast.rita)) == "with_ai":
        finish(cast, cast.rita)
    with serving(cast.database, cast.storage, browser) as site:
        with site.person(is_mobile=True, has_touch=True) as rita:
            rita.page.set_viewport_size({"width": 390, "height": 844})
            rita.sign_in("rita@example.org")
            rita.goto("/studies/bcc-sk/read")
            expect(rita.page.get_by_text("Reading needs a larger screen")).to_be_visible()
            picture_of(rita.page, "phone", "refused kindly")
            assert rita.page.evaluate(SIDEWAYS) == 0
        with site.person() as rita:
            page = rita.page
            page.set_viewport_size({"width": 1366, "height": 768})
            rita.sign_in("rita@example.org")
            rita.goto("/studies/bcc-sk/read")
            see(page, "served")
            press(page, "b7!")
            see(page, "between")
            expect(page.get_by_text("For this case no AI result is shown.")).to_be_visible()
            picture_of(page, "hospital", "withheld")
            close(cast)
            page.locator("[data-focus-first]:enabled").press("Enter")
            expect(page.locator("[data-unsaved], [data-state=over]").first).to_be_visible()
            picture_of(page, "hospital", "closed meanwhile")
            rita.goto("/studies/bcc-sk/read")
            expect(page.get_by_role("heading", name="This study is closed")).to_be_visible()
            picture_of(page, "hospital", "closed")


def test_between_the_sessions_of_a_crossover_the_day_is_named(
    draft: Cast, browser: Browser
) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    while (now := at(cast, cast.rita)) is not None and now.assignment.session == 1:
        read_on(cast, cast.rita)
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        rita.page.set_viewport_size({"width": 1366, "height": 768})
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        expect(rita.page.get_by_text("Your second session begins on")).to_be_visible()
        expect(rita.page.locator("#room form[action$='/next']")).to_have_count(0)
        picture_of(rita.page, "hospital", "washout")
        assert rita.page.evaluate(SIDEWAYS) == 0
