"""The reading room of the designs, by keyboard: training, management, sittings, a withheld case."""

from playwright.sync_api import Browser, expect

from app.domain.study_design import StudyDesign
from tests.browser.conftest import serving
from tests.conftest import Cast
from tests.reading.designs import DESIGNS, arm_of, opened
from tests.reading.steps import finish, serve


def test_training_management_and_the_end_of_a_sitting_by_keyboard(
    draft: Cast, browser: Browser
) -> None:
    design = StudyDesign(ask_management=True, cases_per_sitting=2)
    cast = opened(draft, design, training=1)
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        rita.page.click("main button[type=submit]")
        for said in ("the reference standard says SK", "This sitting is over: thank you"):
            rita.page.wait_for_selector("[data-state=served] [data-opened]")
            rita.page.keyboard.type("b7")
            rita.page.keyboard.press("Enter")
            incomplete = rita.page.locator("[data-incomplete]")
            expect(incomplete).to_have_text("Say whether you would take a biopsy.")
            rita.page.keyboard.press("y")
            rita.page.keyboard.press("Enter")
            rita.page.wait_for_selector("[data-state=revealed] [data-mapped]")
            rita.page.keyboard.type("s3n")
            rita.page.keyboard.press("Enter")
            rita.page.wait_for_selector("[data-state=between]")
            expect(rita.page.locator("#room")).to_contain_text(said)
            rita.page.locator("[data-focus-first]:enabled").press("Enter")
        rita.page.wait_for_selector("[data-state=served]")


def test_after_a_withheld_case_a_calm_sentence_and_the_next_case(
    draft: Cast, browser: Browser
) -> None:
    cast = opened(draft, DESIGNS["hidden_share"])
    while arm_of(cast, serve(cast, cast.rita)) == "with_ai":
        finish(cast, cast.rita)
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        rita.page.wait_for_selector("[data-state=served] [data-opened]")
        rita.page.keyboard.type("b7")
        rita.page.keyboard.press("Enter")
        rita.page.wait_for_selector("[data-state=between]")
        expect(rita.page.locator("#room")).to_contain_text("For this case no AI result is shown.")
        assert not [url for url in rita.requests if "/overlays/" in url or "/reveal" in url]
