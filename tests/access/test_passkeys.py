"""Passkeys: added on one's account, a way in, and what is refused (A5).

The device is one of software, see authenticator.py; a real browser's: browser/test_passkey_room.py.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.actions.manage_accounts import CONFIRMED
from app.actions.passkeys import CHALLENGE, MOST, PasskeySite
from app.db.administrator import erase_person
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import Conflict
from tests.access.authenticator import PRESENT, Device, decoded, encoded
from tests.access.test_lost_password import link_for, set_password
from tests.access.test_sign_in import is_signed_in
from tests.conftest import Cast
from tests.reading.steps import superuser
from tests.web.site import Site

ORIGIN = "https://reread.example.org"
HOST = "reread.example.org"


@pytest.fixture
def secured(cast: Cast) -> Site:
    """The site under a name of its own: passkeys are bound to it."""
    return Site(cast, public_url=ORIGIN)


def browser_of(site: Site, account: Account) -> TestClient:
    browser = site.browser()
    browser.cookies.set("__Host-reread", site.session(account))
    return browser


def add(site: Site, account: Account, device: Device, *, name: str = "Grey laptop") -> Response:
    browser = browser_of(site, account)
    asked = browser.post("/account/passkeys/challenge").text
    form = {"answer": device.create(asked), "name": name}
    return browser.post("/account/passkeys", data=form)


def asked_at_the_door(browser: TestClient) -> str:
    return browser.post("/sign-in/passkey/challenge").text


def use(browser: TestClient, device: Device, **form: str) -> Response:
    answer = device.get(asked_at_the_door(browser))
    return browser.post("/sign-in/passkey", data={"answer": answer, **form})


@pytest.fixture
def device(secured: Site) -> Device:
    """Rita's device, her passkey added."""
    made = Device(ORIGIN)
    assert add(secured, secured.cast.rita, made).headers["location"] == "/account?done=passkey"
    return made


def refusals(cast: Cast) -> list[tuple[str, str]]:
    with superuser(cast) as owner:
        found = owner.execute(
            """SELECT entity, payload FROM audit_event WHERE action = 'sign_in.passkey_refused'
               ORDER BY seq"""
        ).fetchall()
    return [(entity, json.loads(payload)["why"]) for entity, payload in found]


# ---------------------------------------------------------------- the way in


def test_a5_a_passkey_opens_the_session_by_itself_and_grave_acts_for_a_while(
    secured: Site, device: Device
) -> None:
    browser = secured.browser()
    answer = use(browser, device, next="/studies/bcc-sk/read")
    assert (answer.status_code, answer.headers["location"]) == (303, "/studies/bcc-sk/read")
    assert is_signed_in(browser)
    assert browser.post("/account/passkeys/challenge").status_code == 200
    secured.clock.advance(seconds=CONFIRMED.total_seconds())
    assert browser.post("/account/passkeys/challenge").status_code == 403


def test_a5_a_passkey_is_both_factors_in_one(secured: Site, device: Device) -> None:
    with superuser(secured.cast) as owner:
        owner.execute(
            "INSERT INTO second_factor (account_id, secret, made_at) VALUES (%s, 'X', now())",
            [secured.cast.rita.id],
        )
        owner.execute("UPDATE second_factor SET confirmed_at = now()")
    fresh = secured.browser()
    assert use(fresh, device).headers["location"] == "/"
    assert is_signed_in(fresh)


def test_a5_where_an_app_is_asked_for_a_passkey_does_not_replace_it(cast: Cast) -> None:
    """The password would open the account alone otherwise."""
    site = Site(cast, public_url=ORIGIN, REREAD_SECOND_FACTOR="everybody")
    browser = browser_of(site, cast.rita)
    assert browser.post("/account/passkeys/challenge").status_code == 403
    assert browser.get("/account").headers["location"] == "/account/second-factor"


def test_a5_the_device_is_asked_to_make_sure_who_uses_it(secured: Site) -> None:
    browser = browser_of(secured, secured.cast.rita)
    asked = browser.post("/account/passkeys/challenge").json()
    assert asked["rp"]["id"] == HOST
    assert decoded(asked["user"]["id"]) == secured.cast.rita.id.bytes
    chosen = asked["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    assert asked["attestation"] == "none"
    at_the_door = json.loads(asked_at_the_door(secured.browser()))
    assert at_the_door["rpId"] == HOST
    assert at_the_door["userVerification"] == "required"
    assert at_the_door["allowCredentials"] == [], "the door does not tell who has one (A8)"


# ---------------------------------------------------------------- attacks


def copied(device: Device) -> Device:
    return Device(ORIGIN, counts=0, user=device.user, key=device.key, credential=device.credential)


FORGED: dict[str, Callable[[Device], None]] = {
    "made for another site": lambda d: setattr(
        d, "origin", "https://reread.example.org.evil.example"
    ),
    "over http": lambda d: setattr(d, "origin", "http://reread.example.org"),
    "on another port": lambda d: setattr(d, "origin", ORIGIN + ":8443"),
    "for another host": lambda d: setattr(d, "host", "example.org"),
    "nobody verified": lambda d: setattr(d, "flags", PRESENT),
    "nobody present": lambda d: setattr(d, "flags", 0x04),
    "another key": lambda d: setattr(d, "key", Device(ORIGIN).key),
    "in another's name": lambda d: setattr(d, "user", uuid4().bytes),
    "in nobody's name": lambda d: setattr(d, "user", b""),
    "a challenge of one's own": lambda d: setattr(d, "challenge", encoded(b"c" * 64)),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a5_what_the_passkey_did_not_sign_for_this_site_now_is_refused(
    secured: Site, device: Device, forgery: str
) -> None:
    FORGED[forgery](device)
    browser = secured.browser()
    answer = use(browser, device)
    assert answer.status_code == 422
    assert "not accepted" in answer.text
    assert not is_signed_in(browser)
    ((whose, _why),) = refusals(secured.cast)
    assert whose == str(secured.cast.rita.id)


def test_a5_an_answer_works_once(secured: Site, device: Device) -> None:
    browser = secured.browser()
    form = {"answer": device.get(asked_at_the_door(browser))}
    assert browser.post("/sign-in/passkey", data=form).status_code == 303
    thief = secured.browser()
    assert thief.post("/sign-in/passkey", data=form).status_code == 422
    assert not is_signed_in(thief)


def test_a5_a_challenge_is_used_up_by_a_wrong_answer_too(secured: Site, device: Device) -> None:
    browser = secured.browser()
    asked = asked_at_the_door(browser)
    right = device.key
    device.key = Device(ORIGIN).key
    assert browser.post("/sign-in/passkey", data={"answer": device.get(asked)}).status_code == 422
    device.key = right
    assert browser.post("/sign-in/passkey", data={"answer": device.get(asked)}).status_code == 422


def test_a5_a_challenge_holds_five_minutes(secured: Site, device: Device) -> None:
    browser = secured.browser()
    answer = device.get(asked_at_the_door(browser))
    secured.clock.advance(seconds=CHALLENGE.total_seconds())
    assert browser.post("/sign-in/passkey", data={"answer": answer}).status_code == 422
    assert refusals(secured.cast)[0][1] == "the challenge was used or is too old"


def test_a5_a_challenge_for_adding_one_opens_no_door(secured: Site, device: Device) -> None:
    owner = browser_of(secured, secured.cast.rita)
    asked = owner.post("/account/passkeys/challenge").json()
    answer = device.get(json.dumps({"rpId": HOST, "challenge": asked["challenge"]}))
    thief = secured.browser()
    assert thief.post("/sign-in/passkey", data={"answer": answer}).status_code == 422


def test_a5_a_copied_key_whose_count_lags_behind_is_noticed(secured: Site, device: Device) -> None:
    copy = copied(device)
    assert use(secured.browser(), device).status_code == 303
    assert use(secured.browser(), device).status_code == 303
    thief = secured.browser()
    assert use(thief, copy).status_code == 422
    assert refusals(secured.cast)[0][1] == "the device's count did not grow: perhaps a copy"


def test_a5_a_device_that_does_not_count_signs_in_again_and_again(secured: Site) -> None:
    """Keys in a cloud's keychain say 0 each time."""
    device = Device(ORIGIN)
    add(secured, secured.cast.rita, device)
    for _ in range(2):
        device.counts = -1
        assert use(secured.browser(), device).status_code == 303


def test_a5_a_disabled_account_stays_shut(secured: Site, device: Device) -> None:
    with superuser(secured.cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE email LIKE 'rita%'")
    assert use(secured.browser(), device).status_code == 422
    assert refusals(secured.cast)[0][1] == "the account is disabled"


def test_a5_a_key_that_nobody_added_opens_nothing(secured: Site) -> None:
    stranger = Device(ORIGIN, user=secured.cast.rita.id.bytes)
    assert use(secured.browser(), stranger).status_code == 422
    assert refusals(secured.cast) == [("unknown", "not known")]


ODD: list[Any] = [
    "",
    "null",
    "[]",
    "[" * 5000,
    "{}",
    '{"id": 1}',
    "\x00",
    "x" * 30_000,
    json.dumps({"id": "a", "rawId": "a", "type": "public-key", "response": {}}),
    json.dumps(
        {
            "id": "YQ",
            "rawId": "YQ",
            "type": "public-key",
            "response": {
                "clientDataJSON": encoded(b'{"type":1,"challenge":7,"origin":[]}'),
                "authenticatorData": "YQ",
                "attestationObject": "YQ",
                "signature": "YQ",
            },
        }
    ),
]


@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
def test_i7_an_odd_answer_is_no_error_of_the_program(secured: Site, answer: str) -> None:
    browser = secured.browser()
    assert browser.post("/sign-in/passkey", data={"answer": answer}).status_code == 422
    owner = browser_of(secured, secured.cast.rita)
    form = {"answer": answer, "name": "x"}
    assert owner.post("/account/passkeys", data=form).status_code == 422


# ---------------------------------------------------------------- adding and removing


def test_a5_adding_one_needs_the_password_entered_just_now(secured: Site) -> None:
    browser = browser_of(secured, secured.cast.rita)
    secured.clock.advance(seconds=CONFIRMED.total_seconds())
    assert browser.post("/account/passkeys/challenge").status_code == 403
    assert browser.post("/account/passkeys", data={"answer": "{}"}).status_code == 403
    assert browser.post(f"/account/passkeys/{uuid4()}/removed").status_code == 403


@pytest.mark.parametrize(
    "forgery", ["made for another site", "for another host", "nobody verified"]
)
def test_a5_a_passkey_made_elsewhere_is_not_added(secured: Site, forgery: str) -> None:
    device = Device(ORIGIN)
    FORGED[forgery](device)
    assert add(secured, secured.cast.rita, device).status_code == 422
    assert "Grey laptop" not in browser_of(secured, secured.cast.rita).get("/account").text


def test_a5_a_challenge_of_another_person_adds_nothing(secured: Site) -> None:
    """Somebody's answer posted in the session of another."""
    asked = browser_of(secured, secured.cast.rolf).post("/account/passkeys/challenge").text
    form = {"answer": Device(ORIGIN).create(asked), "name": "Not hers"}
    rita = browser_of(secured, secured.cast.rita)
    assert rita.post("/account/passkeys", data=form).status_code == 422


def test_a_name_that_is_none_is_refused_at_its_field_and_kept(secured: Site) -> None:
    rita = browser_of(secured, secured.cast.rita)
    made = Device(ORIGIN).create(rita.post("/account/passkeys/challenge").text)
    long = "my laptop " * 10
    for name in ("  ", long):
        answer = rita.post("/account/passkeys", data={"answer": made, "name": name})
        assert answer.status_code == 422
        assert 'id="passkey-name-wrong">Name the passkey, in 1 to' in answer.text
        assert f'name="name" value="{name}"' in answer.text
        assert "Change the password" in answer.text, "the page of the account, not a bare refusal"


def test_a5_an_answer_adds_one_passkey_once_and_a_known_one_never(secured: Site) -> None:
    rita, device = browser_of(secured, secured.cast.rita), Device(ORIGIN)
    form = {
        "answer": device.create(rita.post("/account/passkeys/challenge").text),
        "name": "One",
    }
    assert rita.post("/account/passkeys", data=form).status_code == 303
    assert rita.post("/account/passkeys", data=form).status_code == 422
    assert add(secured, secured.cast.rolf, device).status_code == 409, "nor for somebody else"
    again = rita.post("/account/passkeys/challenge").json()
    assert [one["id"] for one in again["excludeCredentials"]] == [encoded(device.credential)]


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\x00b"])
def test_a5_a_passkey_has_a_name(secured: Site, name: str) -> None:
    answer = add(secured, secured.cast.rita, Device(ORIGIN), name=name)
    assert answer.status_code == 422
    assert "Name the passkey" in answer.text


def test_i6_the_name_is_shown_as_text(secured: Site) -> None:
    add(secured, secured.cast.rita, Device(ORIGIN), name="<b>mine</b>")
    page = browser_of(secured, secured.cast.rita).get("/account").text
    assert "&lt;b&gt;mine" in page
    assert "<b>mine" not in page


def test_a5_an_account_has_ten_at_most(secured: Site) -> None:
    with superuser(secured.cast) as owner:
        owner.execute(
            """INSERT INTO passkey
                   (account_id, credential_id, public_key, sign_count, name, made_at)
               SELECT %s, sha256(n::text::bytea), 'k', 0, 'k', now()
               FROM generate_series(1, %s) n""",
            [secured.cast.rita.id, MOST],
        )
    browser = browser_of(secured, secured.cast.rita)
    assert browser.post("/account/passkeys/challenge").status_code == 409


def test_a5_one_is_removed_by_its_owner_alone(secured: Site, device: Device) -> None:
    rita, rolf = (browser_of(secured, one) for one in (secured.cast.rita, secured.cast.rolf))
    with superuser(secured.cast) as owner:
        number = owner.execute("SELECT id FROM passkey").fetchone()[0]
    path = f"/account/passkeys/{number}/removed"
    assert "Grey laptop" in rita.get("/account").text
    assert "Grey laptop" not in rolf.get("/account").text
    assert rolf.post(path).status_code == 404
    assert rita.post(path).headers["location"] == "/account?done=passkey-removed"
    assert rita.post(path).status_code == 404
    assert use(secured.browser(), device).status_code == 422


def test_a5_a9_a_link_for_a_new_password_removes_them(secured: Site, device: Device) -> None:
    """Whoever lost the account to a thief begins anew."""
    set_password(secured.browser(), link_for(secured, secured.cast.rita))
    assert use(secured.browser(), device).status_code == 422
    assert refusals(secured.cast) == [("unknown", "not known")]


def test_l6_they_come_and_go_as_events_without_their_names(secured: Site, device: Device) -> None:
    use(secured.browser(), device)
    with superuser(secured.cast) as owner:
        number = owner.execute("SELECT id FROM passkey").fetchone()[0]
    browser_of(secured, secured.cast.rita).post(f"/account/passkeys/{number}/removed")
    with superuser(secured.cast) as owner:
        found = owner.execute(
            """SELECT action, entity, actor FROM audit_event
               WHERE action LIKE 'passkey.%' OR action = 'sign_in.succeeded' ORDER BY seq"""
        ).fetchall()
        logged = owner.execute("SELECT string_agg(payload, '') FROM audit_event").fetchone()[0]
    rita = str(secured.cast.rita.id)
    assert found == [
        ("passkey.added", rita, rita),
        ("sign_in.succeeded", rita, ""),
        ("passkey.removed", rita, rita),
    ]
    assert "Grey laptop" not in logged
    assert device.credential.hex() not in logged


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE passkey SET public_key = 'mine'",
        "UPDATE passkey SET account_id = (SELECT id FROM account WHERE email LIKE 'olga%')",
        "UPDATE passkey SET sign_count = 0",
        "UPDATE passkey SET name = 'other'",
    ],
)
def test_a5_l8_a_stored_passkey_is_not_altered(secured: Site, device: Device, deed: str) -> None:
    use(secured.browser(), device)
    with pytest.raises(psycopg.Error) as refusal, superuser(secured.cast) as owner:
        owner.execute(deed)
    assert refusal.value.sqlstate == "RR409"
    with pytest.raises((Conflict, psycopg.errors.InsufficientPrivilege)):  # noqa: SIM117
        with secured.cast.begin(Role.ACCOUNT, None) as connection:
            connection.execute(deed)


@pytest.mark.usefixtures("device")
def test_p7_whoever_is_erased_has_none(secured: Site) -> None:
    erase_person(secured.cast.database.url, email="rita@example.org", reason="Asked for it.")
    with superuser(secured.cast) as owner:
        assert owner.execute("SELECT count(*) FROM passkey").fetchone() == (0,)


# ---------------------------------------------------------------- where there can be none


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("https://reread.example.org", PasskeySite(HOST, ORIGIN)),
        ("https://Reread.Example.org:443", PasskeySite(HOST, ORIGIN)),
        ("https://reread.example.org:8443", PasskeySite(HOST, ORIGIN + ":8443")),
        ("http://localhost:8000", PasskeySite("localhost", "http://localhost:8000")),
        ("http://reread.example.org", None),
        ("https://127.0.0.1", None),
        ("https://[::1]", None),
        ("http://127.0.0.1:8000", None),
        (None, None),
    ],
)
def test_a_passkey_is_bound_to_a_name_over_https(
    address: str | None, site: PasskeySite | None
) -> None:
    assert PasskeySite.of(address) == site


def test_without_a_name_no_page_offers_one(site: Site) -> None:
    assert "passkey" not in site.browser().get("/sign-in").text
    assert "passkey" not in site.browser(site.cast.rita).get("/account").text.lower()
