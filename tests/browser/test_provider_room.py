"""Signing in at a hospital as a person does it, in Chromium."""

import pytest
from playwright.sync_api import Browser, expect

from app.domain.access import AccountRole
from app.main import utc_now
from tests.access.provider import Provider, a_provider, settings_of
from tests.access.test_provider import identities
from tests.browser.conftest import Person, serving
from tests.conftest import PASSWORD, Cast, make_account

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


def signs_out_and_is_refused(
    rita: Person, provider: Provider, *, wants_password: bool = True
) -> None:
    rita.page.get_by_role("button", name="Sign out").click()
    provider.subject = "somebody else"
    press(rita)
    expect(rita.page.get_by_role("alert")).to_contain_text("knows otherwise")
    if wants_password:
        rita.sign_in("rita@example.org")


def test_without_a_provider_the_door_has_the_password_alone(cast: Cast, browser: Browser) -> None:
    with serving(cast.database, cast.storage, browser) as site, site.person() as rita:
        rita.goto("/sign-in")
        expect(rita.page.get_by_label("Password")).to_be_visible()
        expect(rita.page.get_by_role("link", name="hospital")).to_have_count(0)


def test_an_administrator_unbinds_an_account_that_the_hospital_made_anew(
    cast: Cast, browser: Browser
) -> None:
    """From the refusal that sends Rita to the administrator, to Rita reading again."""
    make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    with a_provider(utc_now) as provider:
        settings = settings_of(provider)
        with (
            serving(cast.database, cast.storage, browser, host="127.0.0.1", **settings) as site,
            site.person() as rita,
            site.person() as ada,
        ):
            rita.goto("/sign-in")
            press(rita)
            expect(rita.page.locator(".account-name")).to_contain_text("Rita")
            signs_out_and_is_refused(rita, provider, wants_password=False)
            unbinds(ada, "Rita", provider)
            rita.goto("/sign-in")
            press(rita)
            expect(rita.page.locator(".account-name")).to_contain_text("Rita")
            assert identities(cast) == [("rita@example.org", "somebody else")]


def unbinds(ada: Person, name: str, provider: Provider) -> None:
    ada.page.goto(ada.address + "/sign-in")
    ada.page.fill("[name=email]", "ada@example.org")
    ada.page.fill("[name=password]", PASSWORD)
    ada.page.click("main button[type=submit]")
    ada.page.wait_for_url(ada.address + "/accounts")
    ada.page.get_by_role("row", name=name).get_by_role("link").first.click()
    section = ada.page.get_by_role("heading", name="Signing in at a hospital")
    expect(section).to_be_visible()
    expect(ada.page.get_by_text(f"whom {provider.address} knows")).to_be_visible()
    ada.page.get_by_role("button", name="Unbind the account").click()
    expect(ada.page.get_by_role("status")).to_contain_text("The account is unbound and signed out")
    expect(section).to_have_count(0)
