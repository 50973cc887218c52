"""The study that asks and shows all there is: what a call takes, and what is in sight for it."""

import pytest
from playwright.sync_api import Browser, Page

from app.db.session import Database, Role
from app.storage import Storage
from tests.browser.conftest import Person, serving
from tests.browser.states import SIZES, press, see, study_in_full, walk

# What must be answered, and the lock, between the panel's edges; nothing of it behind the lock.
OUT_OF_SIGHT = """() => {
    const panel = document.querySelector(".panel").getBoundingClientRect();
    const lock = document.querySelector(".locking").getBoundingClientRect();
    return [...document.querySelectorAll(".opinion, .first-call, .option, .confidence-row")]
        .map((at) => [at.className, at.getBoundingClientRect()])
        .filter(([, at]) => at.top < panel.top || at.bottom > lock.top)
        .map(([name, at]) => `${name} ${at.top} to ${at.bottom}, lock at ${lock.top}`); }"""


# The part of the room that takes the most of the screen.
LARGEST = """() => [...document.querySelectorAll(".stage, .panel")]
    .map((at) => [at.className, at.getBoundingClientRect()])
    .sort(([, one], [, other]) => other.width * other.height - one.width * one.height)[0][0]"""


def at_the_first_case(rita: Person) -> Page:
    for name in walk(rita):
        if name == "unaided, nothing chosen":
            break
    return rita.page


SCREENS = {
    "large": (1920, 1080),
    "hospital": SIZES["hospital"][:2],
    "hospital, in a browser with its bars": (1366, 650),
    "tablet": SIZES["tablet"][:2],
    "tablet, in a browser with its bars": (1024, 700),
    "tablet upright": SIZES["tablet-upright"][:2],
    "newer tablet upright": (820, 1180),
}


@pytest.mark.parametrize("screen", SCREENS)
def test_all_that_must_be_answered_is_in_sight_without_scrolling(
    database: Database, storage: Storage, browser: Browser, screen: str
) -> None:
    """With the record, the management question and a comment, before the lock and after it."""
    width, height = SCREENS[screen]
    cast = study_in_full(database, storage)
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        rita.page.set_viewport_size({"width": width, "height": height})
        page = at_the_first_case(rita)
        assert page.evaluate(OUT_OF_SIGHT) == []
        press(page, "b7y!")
        see(page, "revealed")
        assert page.locator(".opinion, .first-call").count() == 2
        assert page.evaluate(OUT_OF_SIGHT) == []
        assert page.evaluate(LARGEST) == "stage", "what must be answered does not crowd the image"


def test_a_call_with_the_management_question_takes_three_keys(
    database: Database, storage: Storage, browser: Browser
) -> None:
    cast = study_in_full(database, storage)
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        page = at_the_first_case(rita)
        assert [shown.split() for shown in page.locator(".both").all_inner_texts()] == [
            ["+", "BCC", "G", "+", "SK", "W"],
            ["+", "BCC", "V", "+", "SK", "X"],
        ]
        press(page, "v")
        assert page.locator("[name=confidence]").input_value() == "", "it says nothing of how sure"
        press(page, "7!")
        see(page, "revealed")
        assert page.locator("[data-call-form] :checked").count() == 0, "the second call begins anew"
        press(page, "w6!")
        see(page, "between")
    with cast.database.begin(Role.READER, actor=cast.rita.id) as connection:
        rows = connection.execute(
            "SELECT call, confidence, management FROM reading ORDER BY locked_at"
        ).fetchall()
    assert rows == [("BCC", 70, "no_biopsy"), ("SK", 60, "biopsy")]


def test_the_number_pad_answers_call_and_biopsy_in_one_with_one_hand(
    database: Database, storage: Storage, browser: Browser
) -> None:
    """Its own ready-made set: a sign, a digit and Enter, all of them on the pad."""
    cast = study_in_full(database, storage)
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        rita.sign_in("rita@example.org")
        rita.goto("/keys")
        rita.page.get_by_role("button", name="Number pad, call and biopsy in one").click()
        rita.page.wait_for_load_state("networkidle")
        rita.page.get_by_role("button", name="Sign out").click()
        page = at_the_first_case(rita)
        zoom = "[...window.viewerRoom.viewers.values()][0].viewer.viewport.getZoom(false)"
        before = page.evaluate(zoom)
        for keys in (("NumpadDivide", "7"), ("NumpadAdd", "6")):
            for key in (*keys, "NumpadEnter"):
                page.keyboard.press(key)
            if keys[0] == "NumpadDivide":
                see(page, "revealed")
                assert page.evaluate(zoom) == before, "the pad's signs do not zoom as well"
        see(page, "between")
    with cast.database.begin(Role.READER, actor=cast.rita.id) as connection:
        rows = connection.execute(
            "SELECT call, confidence, management FROM reading ORDER BY locked_at"
        ).fetchall()
    assert rows == [("BCC", 70, "biopsy"), ("SK", 60, "no_biopsy")]
