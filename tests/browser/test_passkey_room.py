"""A passkey as a person adds and uses it: Chromium with an authenticator of its own (CDP)."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from tests.browser.conftest import Person, Site, serving
from tests.conftest import Cast

pytestmark = pytest.mark.browser

RITA = "rita@example.org"


@pytest.fixture
def named(cast: Cast, browser: Browser) -> Iterator[Site]:
    """The site under a name: a passkey is bound to one."""
    with serving(cast.database, cast.storage, browser, host="localhost") as site:
        yield site


def device(person: Person, *, verifies: bool = True) -> tuple[CDPSession, str]:
    """Give the browser a device that keeps passkeys, whose owner touches it at once."""
    session = person.page.context.new_cdp_session(person.page)
    session.send("WebAuthn.enable")
    made = session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": verifies,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return session, made["authenticatorId"]


def test_a5_a_passkey_is_added_used_and_removed(named: Site) -> None:
    with named.person() as rita:
        page = rita.page
        session, number = device(rita)
        rita.sign_in(RITA)
        rita.goto("/account")
        page.get_by_label("A name for a new one").fill("My laptop")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_role("status").first).to_contain_text("The passkey is added")
        kept = session.send("WebAuthn.getCredentials", {"authenticatorId": number})["credentials"]
        assert [one["rpId"] for one in kept] == ["localhost"]

        page.get_by_role("button", name="Sign out").click()
        rita.goto("/sign-in?next=/studies/bcc-sk/read")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(named.address + "/studies/bcc-sk/read")
        expect(page.locator(".account-name")).to_contain_text("Rita")

        rita.goto("/account")
        expect(page.get_by_text("My laptop added")).to_contain_text("last used")
        page.get_by_role("button", name="Remove the passkey My laptop").click()
        expect(page.get_by_role("status").first).to_contain_text("The passkey is removed")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("not accepted")


def test_a5_a_device_whose_owner_is_not_verified_adds_none(named: Site) -> None:
    with named.person() as rita:
        device(rita, verifies=False)
        rita.sign_in(RITA)
        rita.goto("/account")
        rita.page.get_by_label("A name for a new one").fill("My laptop")
        rita.page.get_by_role("button", name="Add a passkey").click()
        expect(rita.page.get_by_text("No passkey was added.")).to_be_visible()
        expect(rita.page.get_by_role("button", name="Add a passkey")).to_be_enabled()


def test_a5_without_script_the_door_shows_the_password_alone(named: Site) -> None:
    with named.person(java_script_enabled=False) as rita:
        rita.goto("/sign-in")
        expect(rita.page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(rita.page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
