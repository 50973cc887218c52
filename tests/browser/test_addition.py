"""A coordinator adds cases to an open study in the browser, from the table to the longer order."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.conftest import Cast
from tests.reading.additions import more_files, score_more

pytestmark = pytest.mark.browser


def test_a_coordinator_adds_cases_to_an_open_study_and_sees_every_order_grow(
    cast: Cast, site: Site
) -> None:
    table, images = more_files(3)
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk")
        page = cora.page
        page.get_by_role("link", name="Add cases").click()
        page.get_by_role("link", name="Import cases").click()
        page.set_input_files(
            "[name=cases]", {"name": "cases.csv", "mimeType": "text/csv", "buffer": table}
        )
        page.set_input_files(
            "[name=images]", {"name": "images.zip", "mimeType": "application/zip", "buffer": images}
        )
        page.get_by_label("I have looked at every picture").check()
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.get_by_text("3 cases wait, with 3 images")).to_be_visible()
        expect(page.get_by_role("button", name="Make the predictions")).to_be_visible()
        score_more(cast)
        page.reload()
        page.get_by_label("Reason for the amendment").fill("Recruitment was faster.")
        page.get_by_role("button", name="Add 3 cases").click()
        expect(page.get_by_text("Added 3 cases at the end of every order")).to_be_visible()
        page.get_by_role("link", name="Monitor").click()
        expect(page.get_by_text("0 of 18 readings are finished")).to_be_visible()
