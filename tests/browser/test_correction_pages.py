"""A coordinator voids a reading after a slip, and excludes a case, in the browser."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.conftest import Cast
from tests.reading.steps import finish

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
