"""The viewer, the map and what comes ahead, as a reader at the screen meets them."""

import re

import pytest
from playwright.sync_api import Browser, expect

from app.db.session import Database, Role
from app.domain.study_design import StudyDesign
from app.storage import Storage
from tests.browser.conftest import Person, Site, serving
from tests.browser.states import SIZES
from tests.browser.test_reading_room import answer, see_image, see_opinion, start
from tests.conftest import Cast, make_cast, scored_and_open
from tests.reading.designs import opened
from tests.reading.steps import superuser

# Keeps each layout shift, as Chromium counts it: how much, whether by itself, and what moved.
WATCH = """() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) {
            const moved = one.sources.map(({ node }) => {
                const at = node?.nodeType === 1 ? node : node?.parentElement;
                return `${at?.closest(".stage") ? "stage " : ""}${at?.className}`;
            });
            window.shifts.push([one.value, !one.hadRecentInput, moved.join("; ")]);
        }
    }).observe({ type: "layout-shift" });
}"""


def served(cast: Cast) -> int:
    with cast.begin(Role.READER, cast.rita) as connection:
        return connection.execute("SELECT count(*) FROM served").fetchone()[0]


def images_asked(person: Person) -> list[str]:
    return [url for url in person.requests if "/images/" in url]


def test_d7_the_next_image_is_fetched_once_ahead_of_its_turn_and_serves_nothing(
    site: Site, cast: Cast
) -> None:
    with site.person() as rita:
        start(rita)
        assert len(images_asked(rita)) == 1
        answer(rita, "b7!")
        see_opinion(rita)
        rita.page.wait_for_load_state("networkidle")
        first, second = images_asked(rita)
        assert served(cast) == 1
        answer(rita, "s6!")
        expect(rita.page.get_by_text("Case 2 of 6")).to_be_visible()
        see_image(rita)
        assert images_asked(rita) == [first, second]
        assert rita.page.get_attribute("[data-viewer]", "data-src") in second
        assert served(cast) == 2
        # Its model is not: no map but that of the case before.
        maps = {url for url in rita.requests if "/overlays/" in url}
        assert maps == {first.replace("/images/", "/overlays/")}


@pytest.mark.parametrize("size", ["hospital", "tablet", "tablet-upright"])
def test_nothing_shifts_while_ten_cases_are_read(
    database: Database, storage: Storage, browser: Browser, size: str
) -> None:
    """The layout shifts of ten cases, reveal and next image included, add up to nothing.

    Chromium leaves out what follows a key within half a second; in the stage nothing moves then
    either. Of the panel that is meant to change: it shows the next question.
    """
    scored_and_open(make_cast(database, storage, cases=10))
    width, height, _by = SIZES[size]
    with serving(database, storage, browser) as site, site.person() as rita:
        rita.page.set_viewport_size({"width": width, "height": height})
        start(rita)
        rita.page.evaluate(WATCH)
        for number in range(1, 11):
            expect(rita.page.get_by_text(f"Case {number} of 10")).to_be_visible()
            see_image(rita)
            answer(rita, "b7!")
            see_opinion(rita)
            # Read before the last lock: after it comes another page, which is no reading.
            seen = rita.page.evaluate("window.shifts")
            answer(rita, "s6!")
        expect(rita.page.get_by_text("Thank you: all 10 cases are done")).to_be_visible()
    assert sum(value for value, by_itself, _moved in seen if by_itself) == 0, seen
    assert [moved for _value, _by_itself, moved in seen if "stage" in moved] == []


def test_a_shift_would_be_seen(site: Site) -> None:
    with site.person() as rita:
        start(rita)
        rita.page.wait_for_timeout(600)  # what follows a key within half a second is not counted
        rita.page.evaluate(WATCH)
        rita.page.evaluate("document.querySelector('.panel').style.paddingTop = '120px'")
        rita.page.wait_for_function("() => window.shifts.some(([value]) => value > 0.005)")


def test_the_map_is_off_while_the_key_is_held_and_its_time_is_kept(site: Site, cast: Cast) -> None:
    with site.person() as rita:
        start(rita)
        answer(rita, "b7!")
        see_opinion(rita)
        toggle = rita.page.locator("[data-map-toggle]")
        rita.page.keyboard.down("o")
        expect(toggle).to_have_attribute("aria-pressed", "false")
        rita.page.keyboard.up("o")
        expect(toggle).to_have_attribute("aria-pressed", "true")
        rita.page.wait_for_function("() => window.viewerRoom.mapMilliseconds() > 50")
        answer(rita, "s6!")
        expect(rita.page.get_by_text("Case 2 of 6")).to_be_visible()
    with superuser(cast) as owner:
        rows = owner.execute("SELECT map_milliseconds, greatest_zoom FROM viewing").fetchall()
    [(milliseconds, zoom)] = rows
    assert 50 < milliseconds < 120_000
    assert zoom is None


def test_the_map_stands_beside_the_plain_image_and_both_move_together(site: Site) -> None:
    zooms = """[...window.viewerRoom.viewers.values()].map(
        ({ viewer }) => (viewer.viewport.getZoom() / viewer.viewport.getHomeZoom()).toFixed(2))"""
    with site.person() as rita:
        start(rita)
        answer(rita, "b7!")
        see_opinion(rita)
        answer(rita, "c")
        expect(rita.page.locator("[data-plain][data-opened]")).to_be_visible()
        # The first image gives half of its room to the second, and is measured anew for it.
        rita.page.wait_for_function(
            """() => [...window.viewerRoom.viewers].every(([element, { viewer }]) =>
                Math.abs(viewer.viewport.getContainerSize().x - element.clientWidth) < 1)"""
        )
        answer(rita, "++")
        rita.page.wait_for_function(
            f"""() => {{ const [a, b] = {zooms}.map(Number);
                return a > 1.5 && Math.abs(a - b) < 0.02; }}"""
        )
        answer(rita, "c")
        expect(rita.page.locator("[data-plain]")).to_have_count(0)
        assert len(images_asked(rita)) == 2, "the plain image was there already"


def test_the_zoom_is_kept_where_the_study_asks_and_a_scale_bar_where_millimetres_are_known(
    draft: Cast, browser: Browser
) -> None:
    with superuser(draft) as owner:
        owner.execute("ALTER TABLE image DISABLE TRIGGER USER")
        owner.execute("UPDATE image SET mm_per_pixel = 0.05")
        owner.execute("ALTER TABLE image ENABLE TRIGGER USER")
    cast = opened(draft, StudyDesign(log_zoom=True))
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        start(rita)
        bar = rita.page.locator(".scale-bar")
        expect(bar).to_have_text(re.compile(r"^[0-9.]+ mm$"))
        fitted = bar.inner_text()
        answer(rita, "++++")
        expect(bar).not_to_have_text(fitted)
        rita.page.wait_for_function("() => window.viewerRoom.greatestZoom() > 3")
        answer(rita, "b7!")
        see_opinion(rita)
    with superuser(cast) as owner:
        [(zoom,)] = owner.execute("SELECT greatest_zoom FROM viewing").fetchall()
    assert 3 < zoom < 5


def test_arrows_move_the_image_once_it_is_enlarged(site: Site) -> None:
    centre = "[...window.viewerRoom.viewers.values()][0].viewer.viewport.getCenter().x"
    with site.person() as rita:
        start(rita)
        before = rita.page.evaluate(centre)
        rita.page.keyboard.press("ArrowRight")
        assert rita.page.evaluate(centre) == before
        answer(rita, "++")
        rita.page.keyboard.press("ArrowRight")
        assert rita.page.evaluate(centre) > before


def test_keys_of_ones_own_hold_in_the_room_and_can_all_be_switched_off(
    site: Site, cast: Cast
) -> None:
    with site.person() as rita:
        rita.sign_in("rita@example.org")
        rita.goto("/keys")
        rita.page.get_by_role("button", name=re.compile("Left hand")).click()
        expect(rita.page.get_by_text("Your keys are saved.")).to_be_visible()
        rita.goto("/studies/bcc-sk/read")
        rita.page.get_by_role("button", name=re.compile("Start")).click()
        see_image(rita)
        answer(rita, "d3g")  # one hand: the call, a digit, the lock
        see_opinion(rita)
        rita.page.get_by_label("Single-key shortcuts").uncheck()
        rita.page.locator("#room-heading").focus()
        answer(rita, "f9")
        assert rita.page.locator("[name=call]:checked").count() == 0
        rita.page.wait_for_load_state("networkidle")
        rita.page.reload()
        see_opinion(rita)
        expect(rita.page.get_by_label("Single-key shortcuts")).not_to_be_checked()
    with cast.begin(Role.READER, cast.rita) as connection:
        rows = connection.execute("SELECT call, confidence FROM reading").fetchall()
    assert rows == [("BCC", 30)]


def test_d6_enter_held_down_or_pressed_twice_never_runs_on(site: Site, cast: Cast) -> None:
    with site.person() as rita:
        start(rita)
        answer(rita, "b7")
        for _ in range(8):  # held down: Playwright repeats a key that is not let go
            rita.page.keyboard.down("Enter")
        rita.page.keyboard.up("Enter")
        see_opinion(rita)
        rita.page.locator("[data-lock]").dblclick()
        expect(rita.page.get_by_text("Choose BCC or SK first.")).to_be_visible()
        answer(rita, "s6")
        rita.page.get_by_label("Pause after this case").check()
        rita.page.locator("[data-lock]").dblclick()
        expect(rita.page.get_by_role("button", name="Show case 2")).to_be_visible()
        assert served(cast) == 1
    with cast.begin(Role.READER, cast.rita) as connection:
        rows = connection.execute("SELECT phase FROM reading ORDER BY locked_at").fetchall()
    assert rows == [("unaided",), ("aided",)]


def test_a_phone_is_refused_kindly_and_reveals_nothing_by_itself(site: Site, cast: Cast) -> None:
    with site.person(is_mobile=True, has_touch=True) as rita:
        rita.page.set_viewport_size({"width": 390, "height": 844})
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        expect(rita.page.get_by_text("Reading needs a larger screen")).to_be_visible()
        expect(rita.page.get_by_text("your place is kept")).to_be_visible()
        assert served(cast) == 0
