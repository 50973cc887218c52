"""The reading room of the designs, by keyboard: training, management, sittings, a withheld case."""

from playwright.sync_api import Browser, expect

from app.domain.study_design import StudyDesign
from tests.browser.conftest import serving
from tests.browser.test_access_for_all import breaches
from tests.conftest import Cast
from tests.reading.designs import DESIGNS, arm_of, opened
from tests.reading.steps import finish, serve, superuser


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


def test_five_steps_take_the_keys_1_to_5_a_click_or_the_arrows(
    draft: Cast, browser: Browser
) -> None:
    cast = opened(draft, StudyDesign(confidence_scale="five_steps"))
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        rita.page.click("main button[type=submit]")
        rita.page.wait_for_selector("[data-state=served] [data-opened]")
        rita.page.keyboard.type("b709")  # no steps of five: nothing is chosen
        assert rita.page.locator("[name=confidence]:checked").count() == 0
        rita.page.keyboard.press("Enter")
        incomplete = rita.page.locator("[data-incomplete]")
        expect(incomplete).to_have_text("Say how sure you are: one of the five steps.")
        expect(rita.page.locator("[name=confidence][value='0']")).to_be_focused()
        rita.page.keyboard.press("4")
        expect(incomplete).to_be_hidden()
        assert breaches(rita.page) == []
        rita.page.keyboard.press("Enter")
        rita.page.wait_for_selector("[data-state=revealed] [data-mapped]")
        expect(rita.page.locator(".first-call")).to_contain_text("BCC, 75 % sure")
        rita.page.keyboard.press("s")
        rita.page.locator("[name=confidence][value='25']").click()
        rita.page.keyboard.press("ArrowRight")
        expect(rita.page.locator("[name=confidence][value='50']")).to_be_checked()
        rita.page.keyboard.press("Enter")
        rita.page.wait_for_selector("[data-state=served] [data-opened]")
    with superuser(cast) as owner:
        stored = owner.execute("SELECT call, confidence FROM reading ORDER BY locked_at").fetchall()
    assert stored == [("BCC", 75), ("SK", 50)]
