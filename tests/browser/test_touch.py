"""The viewer under fingers and a wheel, as Chromium itself delivers them; two views as one."""

import io
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, expect

from app.db.session import Database
from app.storage import Storage
from tests.browser.conftest import Site, serving
from tests.browser.states import study_in_full, walk
from tests.browser.test_reading_room import answer, readings, see_opinion, start
from tests.conftest import Cast

PLACE = """() => { const [{ viewer }] = [...window.viewerRoom.viewers.values()];
    const centre = viewer.viewport.getCenter();
    return { zoom: viewer.viewport.getZoom() / viewer.viewport.getHomeZoom(),
        x: centre.x, y: centre.y }; }"""
FITTED = """() => [...window.viewerRoom.viewers].every(([element, { viewer }]) =>
    Math.abs(viewer.viewport.getContainerSize().x - element.clientWidth) < 1
    && Math.abs(viewer.viewport.getZoom() / viewer.viewport.getHomeZoom() - 1) < 0.01)"""
STILL = """() => [...window.viewerRoom.viewers.values()].every(({ viewer }) =>
    Math.abs(viewer.viewport.getZoom() - viewer.viewport.getZoom(true)) < 1e-4
    && viewer.viewport.getCenter().distanceTo(viewer.viewport.getCenter(true)) < 1e-5)"""


def place(page: Page) -> dict[str, float]:
    return page.evaluate(PLACE)


def middle(page: Page) -> tuple[float, float]:
    box = page.locator("[data-viewer]").first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def touch(device: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    said: list[dict[str, Any]] = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
    device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": said})


def test_two_fingers_enlarge_and_one_moves_the_image_and_not_the_page(site: Site) -> None:
    with site.person(has_touch=True) as rita:
        page = rita.page
        page.set_viewport_size({"width": 768, "height": 1024})
        start(rita)
        device = page.context.new_cdp_session(page)
        x, y = middle(page)
        touch(device, "touchStart", (x - 30, y), (x + 30, y))
        for apart in range(30, 121, 10):
            touch(device, "touchMove", (x - apart, y), (x + apart, y))
        touch(device, "touchEnd")
        page.wait_for_function(f"() => ({PLACE})().zoom > 2")
        page.wait_for_function(STILL)
        before = place(page)
        touch(device, "touchStart", (x, y))
        for far in range(0, 81, 10):
            touch(device, "touchMove", (x - far, y - far / 2))
        touch(device, "touchEnd")
        page.wait_for_function(STILL)
        after = place(page)
        assert after["x"] > before["x"]
        assert after["y"] > before["y"]
        assert after["zoom"] == before["zoom"]
        assert page.evaluate("[scrollX, scrollY, visualViewport.scale]") == [0, 0, 1]


def test_the_wheel_enlarges_where_the_pointer_is(site: Site) -> None:
    with site.person() as rita:
        page = rita.page
        start(rita)
        x, y = middle(page)
        page.mouse.move(x + 60, y)
        for _ in range(3):
            page.mouse.wheel(0, -120)
        page.wait_for_function(f"() => ({PLACE})().zoom > 1.3")
        page.wait_for_function(STILL)
        assert place(page)["x"] > 0.5, "what lay under the pointer stays near it"
        assert page.evaluate("scrollY") == 0


def seen(page: Page) -> list[np.ndarray]:
    """What the two views show, without what lies over them."""
    page.wait_for_function(STILL)
    found = []
    for selector in ("[data-plain]", "[data-viewer]"):
        # The middle, so that neither the scale bar nor an edge takes part.
        shot = Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")
        wide, high = shot.size
        part = shot.crop((wide // 4, high // 4, 3 * wide // 4, 3 * high // 4))
        found.append(np.asarray(part, float))
    return found


def test_the_two_views_of_an_image_show_the_same_place_to_the_pixel(site: Site) -> None:
    with site.person(reduced_motion="reduce") as rita:
        page = rita.page
        start(rita)
        answer(rita, "b7!")
        see_opinion(rita)
        # Enlarged and moved before the second view comes: it begins where the first one is.
        answer(rita, "+++")
        page.keyboard.press("ArrowRight")
        answer(rita, "c")
        expect(page.locator("[data-plain][data-opened]")).to_be_visible()
        page.locator("[data-map-toggle]").click()  # without the map, they are one picture
        page.mouse.move(5, 5)
        together = seen(page)
        assert np.abs(together[0] - together[1]).mean() < 1
        # The plain view is dragged: the other goes with it.
        box = page.locator("[data-plain]").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 150, box["y"] + 150)
        page.mouse.down()
        page.mouse.move(box["x"] + 90, box["y"] + 110, steps=6)
        page.mouse.up()
        page.mouse.move(5, 5)
        dragged = seen(page)
        assert np.abs(dragged[0] - dragged[1]).mean() < 1
        assert np.abs(dragged[0] - together[0]).mean() > 10, "it did move"
        # Another size of window: both keep the place.
        page.set_viewport_size({"width": 1100, "height": 700})
        page.wait_for_function(
            """() => [...window.viewerRoom.viewers].every(([element, { viewer }]) =>
                Math.abs(viewer.viewport.getContainerSize().x - element.clientWidth) < 1)"""
        )
        resized = seen(page)
        assert np.abs(resized[0] - resized[1]).mean() < 1


def test_a_fitted_image_stays_fitted_when_its_room_changes(site: Site) -> None:
    with site.person(reduced_motion="reduce") as rita:
        page = rita.page
        start(rita)
        answer(rita, "b7!")
        see_opinion(rita)
        for _ in range(2):
            answer(rita, "c")  # half of its room, and all of it again
            page.wait_for_function(FITTED)
        page.set_viewport_size({"width": 1000, "height": 900})
        page.wait_for_function(FITTED)


def test_full_screen_keeps_the_form_in_sight_and_the_image_fitted(site: Site) -> None:
    with site.person(reduced_motion="reduce") as rita:
        page = rita.page
        start(rita)
        button = page.locator("[data-full-screen]")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        assert page.evaluate("document.fullscreenElement === document.documentElement")
        expect(page.locator("[data-lock]")).to_be_in_viewport(ratio=1)
        page.wait_for_function(FITTED)
        answer(rita, "b7!")
        see_opinion(rita)
        assert page.evaluate("Boolean(document.fullscreenElement)"), "a lock does not end it"
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")


def test_after_a_press_on_a_tool_the_keys_are_the_calls_again(site: Site, cast: Cast) -> None:
    with site.person() as rita:
        page = rita.page
        start(rita)
        page.locator("[data-zoom=in]").click()
        answer(rita, "b7!")
        see_opinion(rita)
        page.locator("[data-compare]").click()
        page.locator("[data-map-strength]").click()
        answer(rita, "s6!")
        expect(page.get_by_text("Case 2 of 6")).to_be_visible()
    assert readings(cast) == [("unaided", "BCC", 70), ("aided", "SK", 60)]


def test_the_images_of_a_case_move_together_or_apart(
    database: Database, storage: Storage, browser: Browser
) -> None:
    zooms = """() => [...window.viewerRoom.viewers.values()].map(({ viewer }) =>
        viewer.viewport.getZoom() / viewer.viewport.getHomeZoom())"""
    cast = study_in_full(database, storage)
    with (
        serving(cast.database, cast.storage, browser) as site,
        site.person(reduced_motion="reduce") as rita,
    ):
        page = rita.page
        for name in walk(rita):
            if name == "images side by side":
                break
        answer(rita, "++")
        one, other = page.evaluate(zooms)
        assert one > 1.5
        assert abs(one - other) < 0.01
        linked = page.locator("[data-linked]")
        linked.click()
        expect(linked).to_have_attribute("aria-pressed", "false")
        answer(rita, "+")
        apart = page.evaluate(zooms)
        assert sorted(abs(after - one) > 0.2 for after in apart) == [False, True]
