"""A coordinator meets pictures that the model has seen, and must say why they may stay."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.db.session import Role
from tests.browser.conftest import serving
from tests.conftest import Cast, picture, score_by_hand
from tests.database.test_seen_before import bring, digest, hashes, register, training_row

pytestmark = pytest.mark.browser


def test_a_coordinator_sees_the_matches_and_cannot_open_before_saying_why_they_may_stay(
    draft: Cast, browser: Browser, tmp_path: Path
) -> None:
    score_by_hand(draft.database, draft.storage, draft.study)
    register(
        draft,
        tmp_path,
        training_row("IMG_0031.jpg", sha256=digest(picture(3)), likeness=hashes(draft)["c003"]),
        training_row("IMG_0044.jpg", likeness=hashes(draft)["c004"] ^ 0b1101, split="test"),
        *(training_row(f"IMG_1{n:03}.jpg", likeness=n) for n in range(20)),
    )
    bring(draft, draft.olga, "olgas", [("x", "", 1)])
    with serving(draft.database, draft.storage, browser) as site, site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk")
        page = cora.page
        expect(page.get_by_text("2 pictures or patients have been seen before")).to_be_visible()
        expect(page.get_by_role("button", name="Open the study")).to_have_count(0)
        page.get_by_role("link", name="See what matches").click()

        table = page.get_by_role("region", name="Pictures of the model")
        rows = table.get_by_role("row")
        expect(rows).to_have_count(3)  # with the header
        expect(rows.nth(1)).to_contain_text("c003")
        expect(rows.nth(1)).to_contain_text("IMG_0031.jpg")
        expect(rows.nth(1)).to_contain_text("the same file")
        expect(rows.nth(1)).to_contain_text("generated, no patient")
        expect(rows.nth(2)).to_contain_text("differs in 3 of 64 bits")
        expect(rows.nth(2)).to_contain_text("test")
        shown = rows.nth(1).get_by_role("img")
        shown.scroll_into_view_if_needed()
        expect(shown).to_have_js_property("complete", value=True)
        assert shown.evaluate("image => image.naturalWidth") == 96
        expect(page.get_by_text("1 of other coordinators")).to_be_visible()
        page.screenshot(path=tmp_path / "seen-before.png", full_page=True)

        page.get_by_label("Why may these 2 stay in the study?").fill("Both taken out of training.")
        page.get_by_role("button", name="Record it").click()
        page.wait_for_url("**/studies/bcc-sk")
        expect(
            page.get_by_text("2 matches with pictures seen before, acknowledged")
        ).to_be_visible()
        page.screenshot(path=tmp_path / "study.png", full_page=True)
        page.get_by_label("The cases and the model are final.").check()
        page.get_by_role("button", name="Open the study").click()
        expect(page.get_by_text("Opened")).to_be_visible()
        cora.goto("/studies/bcc-sk/seen-before")
        expect(page.get_by_text("Both taken out of training.")).to_be_visible()
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        found = connection.execute("SELECT reason, matches FROM seen_before_acknowledgement")
        assert found.fetchall() == [("Both taken out of training.", 2)]


def test_the_gallery_shows_what_is_flagged_and_can_show_it_alone(
    draft: Cast, browser: Browser, tmp_path: Path
) -> None:
    """The cast's pictures are 96 x 72 pixels: small, all of them."""
    with serving(draft.database, draft.storage, browser) as site, site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk")
        cora.page.get_by_role("link", name="6 flagged").click()
        expect(cora.page.locator(".gallery li")).to_have_count(6)
        expect(cora.page.locator(".gallery li").first).to_contain_text(
            "small: shorter side 72 pixels, below 224"
        )
        cora.page.screenshot(path=tmp_path / "flagged.png", full_page=True)
        cora.page.get_by_role("link", name="Show all cases").click()
        expect(cora.page.get_by_role("link", name="Show these alone")).to_be_visible()
