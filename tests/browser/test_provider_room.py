"""Signing in at a hospital as a person does it, in Chromium."""

import pytest
from playwright.sync_api import Browser, expect

from app.main import utc_now
from tests.access.provider import Provider, a_provider, settings_of
from tests.access.test_provider import identities
from tests.browser.conftest import Person, serving
from tests.conftest import Cast

pytestmark = pytest.mark.browser


def press(person: Person) -> None:
    person.page.get_by_role("link", name="Sign in with your hospital account").click()


def test_a_reader_presses_the_button_and_reads(cast: Cast, browser: Browser) -> None:
    with a_provider(utc_now) as provider:
        settings = settings_of(provider)
        with (
            serving(cast.database, cast.storage, browser, host="127.0.0.1", **settings) as site,
            site.person() as rita,
        ):
            rita.goto("/studies/bcc-sk/read")
            press(rita)
            rita.page.wait_for_url(site.address + "/studies/bcc-sk/read")
            expect(rita.page.locator(".account-name")).to_contain_text("Rita")
            assert identities(cast) == [("rita@example.org", provider.subject)]
            assert all(
                request.startswith((site.address, provider.address + "/authorize?"))
                for request in rita.requests
            )
            signs_out_and_is_refused(rita, provider)


def signs_out_and_is_refused(rita: Person, provider: Provider) -> None:
    rita.page.get_by_role("button", name="Sign out").click()
    provider.subject = "somebody else"
    press(rita)
    expect(rita.page.get_by_role("alert")).to_contain_text("knows otherwise")
    rita.sign_in("rita@example.org")


def test_without_a_provider_the_door_has_the_password_alone(cast: Cast, browser: Browser) -> None:
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        rita.goto("/sign-in")
        expect(rita.page.get_by_label("Password")).to_be_visible()
        expect(rita.page.get_by_role("link", name="hospital")).to_have_count(0)
