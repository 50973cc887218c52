"""A new version of the consent text, written while a reader is at a case."""

import pytest
from playwright.sync_api import expect

from app.actions.manage_people import write_consent_text
from app.db.session import Role
from tests.browser.conftest import Person, Site
from tests.browser.test_reading_room import answer, readings, see_image, see_opinion
from tests.conftest import Cast

pytestmark = pytest.mark.browser


def write(cast: Cast, text: str) -> None:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        write_consent_text(connection, study=cast.study, text=text, by=cast.cora)


def consent(rita: Person, version: int) -> None:
    page = rita.page
    expect(page.get_by_role("heading", name="Your consent")).to_be_visible()
    page.get_by_label(f"I have read this text (version {version}) and consent.").check()
    if page.get_by_label("Specialty").count():
        page.get_by_label("Years of experience").fill("7")
        page.get_by_label("Specialty").select_option(index=1)
        page.get_by_label("Training").select_option(index=1)
    page.get_by_role("button", name="Save and go on").click()


def test_the_case_under_way_is_finished_and_saved_and_the_text_comes_before_the_next(
    site: Site, cast: Cast
) -> None:
    write(cast, "The first text.")
    with site.person() as rita:
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        consent(rita, 1)
        rita.page.get_by_role("button", name="Start with case 1").click()
        see_image(rita)
        write(cast, "The second text.")
        answer(rita, "b7!")
        see_opinion(rita)
        answer(rita, "s6!")
        expect(rita.page.get_by_text("The second text.")).to_be_visible()
        assert readings(cast) == [("unaided", "BCC", 70), ("aided", "SK", 60)]
        consent(rita, 2)
        show = rita.page.get_by_role("button", name="Show case 2")
        expect(show).to_be_enabled()
        write(cast, "The third text.")
        show.click()
        expect(rita.page.get_by_text("The third text.")).to_be_visible()
        consent(rita, 3)
        rita.page.get_by_role("button", name="Show case 2").click()
        see_image(rita)
