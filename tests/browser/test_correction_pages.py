"""A coordinator voids a reading, excludes a case and brings it back, in the browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.conftest import Cast
from tests.reading.steps import at, finish

pytestmark = pytest.mark.browser


def test_a_coordinator_finds_a_reading_voids_it_and_excludes_its_case(
    cast: Cast, site: Site
) -> None:
    finish(cast, cast.rita)
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/readers")
        page = cora.page
        page.get_by_role("link", name="Rita").click()
        page.get_by_label("Number of the case").fill("1")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="Void or correct the aided reading").click()
        expect(page.get_by_text("The call itself is not shown to you")).to_be_visible()
        page.get_by_label("Reason").first.fill("The image did not load.")
        page.get_by_role("button", name="Void this reading").click()
        expect(page.get_by_text("Voided by Cora")).to_be_visible()
        page.get_by_role("term").filter(has_text="Case").locator("+ dd").get_by_role("link").click()
        page.get_by_label("Reason").fill("No lesion in it.")
        page.get_by_role("button", name="Exclude case").click()
        expect(page.get_by_text("This case is excluded")).to_be_visible()
        page.get_by_role("link", name="Overview").click()
        table = page.get_by_role("region", name="Amendments and corrections")
        expect(table.get_by_role("row")).to_have_count(3)  # with the header
        expect(table.get_by_role("row").nth(2)).to_contain_text("The image did not load.")


def test_an_exclusion_is_undone_and_both_acts_stay_to_be_seen(cast: Cast, site: Site) -> None:
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/cases")
        page = cora.page
        page.get_by_role("link", name="c000", exact=True).click()
        page.get_by_label("Reason").fill("No lesion in it.")
        page.get_by_role("button", name="Exclude case c000").click()
        assert finish_all(cast) == 5
        page.get_by_label("Reason").fill("It is at the edge.")
        page.get_by_role("button", name="Bring case c000 back").click()
        acts = page.get_by_role("region", name="Exclude").get_by_role("listitem")
        expect(acts).to_have_text(
            [re.compile("^Excluded .*No lesion in it"), re.compile("^Brought back .*at the edge")]
        )
        expect(page.get_by_role("button", name="Exclude case c000")).to_be_visible()
        page.get_by_role("link", name="Monitor").click()
        expect(page.get_by_text("5 of 12 readings are finished")).to_be_visible()
        expect(page.get_by_text("Brought case c000 back")).to_be_visible()
        expect(page.get_by_text("Excluded case c000")).to_be_visible()
    with site.person() as rita:
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        expect(rita.page.get_by_text("Case 6 of 6")).to_be_visible()


def finish_all(cast: Cast) -> int:
    count = 0
    while at(cast, cast.rita) is not None:
        finish(cast, cast.rita)
        count += 1
    return count
