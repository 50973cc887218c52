"""A coordinator copies a study with its cases, and writes to the readers, in the browser."""

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Site
from tests.conftest import Cast
from tests.reading.steps import finish, superuser

pytestmark = pytest.mark.browser


def test_a_coordinator_copies_a_study_with_its_cases_and_lands_in_the_new_draft(
    cast: Cast, site: Site
) -> None:
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto(f"/studies/{cast.study.code}")
        page = cora.page
        page.get_by_role("link", name="Design").click()
        page.get_by_text("Copy this study").click()
        page.get_by_label("Title of the copy").fill("The second reading")
        page.get_by_label("Short name of the copy").fill("bcc-sk")
        page.get_by_label("Its 6 cases come along").check()
        page.get_by_role("button", name="Make the copy").click()
        expect(page.locator("#new_code-wrong")).to_contain_text("already a study named")
        expect(page.get_by_label("Title of the copy")).to_have_value("The second reading")
        page.get_by_label("Short name of the copy").fill("second")
        page.get_by_role("button", name="Make the copy").click()
        expect(page.get_by_role("link", name="The second reading")).to_be_visible()
        page.get_by_role("link", name="Cases", exact=True).click()
        expect(page.get_by_role("link", name="case-00001", exact=True)).to_be_visible()
        expect(page.get_by_text("no prediction yet")).to_have_count(6)
        assert page.locator("img").evaluate_all("all => all.length") == 6
        assert "BCC" not in page.locator("main").inner_text().replace("BCC or SK", "")


def test_a_coordinator_reminds_who_is_behind_and_writes_to_everybody(
    cast: Cast, site: Site
) -> None:
    for _ in range(6):
        finish(cast, cast.rita)
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/monitor")
        page = cora.page
        page.get_by_role("link", name="Remind or write to readers").click()
        page.get_by_text("The letter, as Rolf would get it").click()
        expect(page.get_by_text("you have read 0 of 6 cases")).to_be_visible()
        page.get_by_role("button", name="Remind 1 reader").click()
        expect(page.get_by_role("heading", name="To be passed on: 1")).to_be_visible()
        page.get_by_label("Subject").fill("Thank you")
        page.get_by_label("Message").fill("We close on Friday.")
        page.get_by_role("button", name="Send to 2 readers").click()
        expect(page.get_by_role("heading", name="To be passed on: 2")).to_be_visible()
        expect(page.get_by_text("We close on Friday.")).to_have_count(2)
        page.get_by_role("navigation", name="Pages of").get_by_role("link", name="Readers").click()
        page.get_by_role("link", name="Rita").click()
        expect(page.get_by_role("heading", name="Rita")).to_be_visible()


def test_a_letter_sent_with_a_double_press_is_sent_once(cast: Cast, site: Site) -> None:
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/letters")
        page = cora.page
        page.get_by_label("Subject").fill("Thank you")
        page.get_by_label("Message").fill("We close on Friday.")
        held: list[Route] = []  # what is under way while the second press comes

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/letters", hold)
        button = page.get_by_role("button", name="Send to 2 readers")
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert box is not None
        place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        with page.expect_request("**/letters"):
            page.mouse.click(*place)
        page.mouse.click(*place)
        held[0].continue_()  # a second request would have put an end to this one
        expect(page.get_by_role("heading", name="To be passed on: 2")).to_be_visible()
        assert len(held) == 1
    with superuser(cast) as owner:
        kept = owner.execute(
            "SELECT count(*) FROM audit_event WHERE action LIKE 'message.%'"
        ).fetchone()
    assert kept == (2,)  # one for each reader
