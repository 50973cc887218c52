"""Signing in at a hospital's identity provider: whom it opens the door to, and whom it does not.

The provider answers over HTTP and signs with keys of its own; see provider.py.
"""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import psycopg
import pytest
from httpx2 import Response
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from app.actions import guessing
from app.actions.sign_in_at_provider import UNDER_WAY
from app.db.administrator import erase_person
from app.domain.access import AccountRole
from app.settings import BadSettingError, Settings
from tests.access.provider import CLIENT, Provider, a_provider, settings_of
from tests.access.test_second_factor import code_of, give, set_up
from tests.access.test_sign_in import is_signed_in, sign_in
from tests.conftest import PASSWORD, Cast, make_account
from tests.reading.steps import superuser
from tests.web.site import ADDRESS, Clock, Site

FROM_ELSEWHERE = {"Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def answering() -> Iterator[Provider]:
    with a_provider(Clock()) as provider:
        yield provider


@pytest.fixture
def hospital(answering: Provider, cast: Cast) -> tuple[Provider, Site]:
    """An honest provider, and the site that knows it."""
    provider = answering
    fresh = Provider(provider.clock)
    for name in vars(fresh):
        if name not in {"address", "clock"}:
            setattr(provider, name, getattr(fresh, name))
    site = site_with(provider, cast)
    provider.clock = site.clock
    return provider, site


def site_with(provider: Provider, cast: Cast, **more: str) -> Site:
    return Site(cast, public_url=ADDRESS, **settings_of(provider), **more)


def go(browser: TestClient, page: str = "/") -> str:
    """Press the button and sign in at the provider; the address it sends the browser back to."""
    there = browser.get("/sign-in/provider", params={"next": page})
    assert there.status_code == 303, there.text
    back = httpx2.get(there.headers["location"], follow_redirects=False, timeout=600)
    assert back.status_code == 302, back.text
    assert back.headers["location"].startswith(f"{ADDRESS}/sign-in/provider/done?")
    return back.headers["location"].removeprefix(ADDRESS)


def come_back(browser: TestClient, address: str) -> Response:
    return browser.get(address, headers=FROM_ELSEWHERE)


def through(site: Site, page: str = "/") -> tuple[TestClient, Response]:
    browser = site.browser()
    return browser, come_back(browser, go(browser, page))


def events(cast: Cast, kind: str) -> list[tuple[str, dict[str, Any]]]:
    with superuser(cast) as owner:
        found = owner.execute(
            "SELECT entity, payload FROM audit_event WHERE action = %s ORDER BY seq", [kind]
        ).fetchall()
    return [(entity, json.loads(payload)) for entity, payload in found]


def identities(cast: Cast) -> list[tuple[str, str]]:
    with superuser(cast) as owner:
        return owner.execute(
            """SELECT a.email, p.subject FROM provider_identity p
               JOIN account a ON a.id = p.account_id ORDER BY 1"""
        ).fetchall()


# ---------------------------------------------------------------- who gets in


def test_a_reader_signs_in_at_the_hospital_and_comes_to_the_page_that_was_asked_for(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    browser, answer = through(site, "/studies/bcc-sk/read")
    assert (answer.status_code, answer.headers["location"]) == (303, "/studies/bcc-sk/read")
    assert is_signed_in(browser)
    assert "reread-provider" not in browser.cookies, "what was for one sign-in is gone"
    (asked,) = provider.asked
    assert asked["response_type"] == "code"
    assert asked["scope"] == "openid email"
    assert asked["code_challenge_method"] == "S256"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_providers_own_keys_are_taken_of_either_kind(
    hospital: tuple[Provider, Site], algorithm: str
) -> None:
    provider, site = hospital
    provider.algorithm = algorithm
    browser, _ = through(site)
    assert is_signed_in(browser)


def test_a_new_key_at_the_provider_needs_no_restart(hospital: tuple[Provider, Site]) -> None:
    provider, site = hospital
    through(site)
    provider.keys = {"RS256": RSAKey.generate_key(2048, {"kid": "next"})}
    browser, _ = through(site)
    assert is_signed_in(browser)


def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    browser, _ = through(site)
    assert is_signed_in(browser)


def test_an_email_that_only_the_user_info_tells_is_asked_for(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    provider.alters = {"email": None, "email_verified": None}
    provider.user_info = {
        "sub": provider.subject, "email": "Rita@example.org", "email_verified": True
    }  # fmt: skip
    browser, _ = through(site)
    assert is_signed_in(browser)


def test_a_user_info_of_another_subject_is_not_taken(hospital: tuple[Provider, Site]) -> None:
    provider, site = hospital
    provider.alters = {"email": None, "email_verified": None}
    provider.user_info = {"sub": "another", "email": "cora@example.org", "email_verified": True}
    browser, answer = through(site)
    assert answer.status_code == 403
    assert not is_signed_in(browser)


def test_any_web_process_takes_the_sign_in_that_another_began(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    browser = site.browser()
    back = go(browser)
    other = site_with(provider, site.cast)
    other.clock = site.clock
    elsewhere = other.browser()
    elsewhere.cookies.update(browser.cookies)
    assert come_back(elsewhere, back).status_code == 303
    assert is_signed_in(elsewhere)


# ---------------------------------------------------------------- attacks on the way


def refused(site: Site, browser: TestClient, answer: Response, status: int = 403) -> str:
    """Nobody is signed in; gives the sentence."""
    assert answer.status_code == status, answer.text
    assert not is_signed_in(browser)
    assert 'action="/sign-in"' in answer.text, "the door is shown"
    with superuser(site.cast) as owner:
        count = owner.execute("SELECT count(*) FROM sign_in_session").fetchone()
    assert count == (0,)
    return answer.text


def test_a7_an_answer_is_taken_once(hospital: tuple[Provider, Site]) -> None:
    _, site = hospital
    browser = site.browser()
    back = go(browser)
    kept = dict(browser.cookies)
    assert come_back(browser, back).status_code == 303
    again = site.browser()
    again.cookies.update(kept)
    answer = come_back(again, back)
    assert answer.status_code == 403
    assert "used already" in answer.text
    assert not is_signed_in(again)


def test_a7_the_answer_of_another_browser_signs_nobody_in_and_ends_nothing(
    hospital: tuple[Provider, Site],
) -> None:
    """An attacker sends the victim the address that ends the attacker's own sign-in."""
    provider, site = hospital
    provider.email, provider.subject = "rolf@example.org", "rolf"
    attacker, victim = site.browser(), site.browser()
    forged = go(attacker)
    provider.email, provider.subject = "rita@example.org", "rita"
    own = go(victim)
    assert "not begun in this browser" in refused(site, victim, come_back(victim, forged))
    refused(site, site.browser(), come_back(site.browser(), forged))
    assert come_back(victim, own).status_code == 303, "her own sign-in still ends well"
    assert "Rita" in victim.get("/account").text


def test_a7_a_code_of_another_sign_in_does_not_fit_the_verifier(
    hospital: tuple[Provider, Site],
) -> None:
    """A stolen code under one's own state (PKCE)."""
    _, site = hospital
    owner, thief = site.browser(), site.browser()
    code = parse_qs(urlsplit(go(owner)).query)["code"][0]
    state = parse_qs(urlsplit(go(thief)).query)["state"][0]
    answer = come_back(thief, f"/sign-in/provider/done?state={state}&code={code}&iss=")
    assert "cannot be trusted" in refused(site, thief, answer)


def test_a7_a_sign_in_waits_ten_minutes_for_the_provider(
    hospital: tuple[Provider, Site],
) -> None:
    _, site = hospital
    browser = site.browser()
    back = go(browser)
    site.clock.advance(seconds=UNDER_WAY.total_seconds())
    assert "took too long" in refused(site, browser, come_back(browser, back))


def test_a7_the_database_keeps_no_state_nonce_or_verifier(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    browser = site.browser()
    go(browser)
    with superuser(site.cast) as owner:
        row = owner.execute("SELECT p::text FROM provider_sign_in p").fetchone()[0]
    for secret in (*provider.asked[0].values(), browser.cookies["reread-provider"]):
        assert secret not in row


@pytest.mark.parametrize("iss", ["https://another.example.org", "", None])
def test_an_answer_in_the_name_of_another_issuer_is_refused(
    hospital: tuple[Provider, Site], iss: str | None
) -> None:
    """Mix-up (RFC 9207): and one without a name, where the provider said that it gives one."""
    provider, site = hospital
    browser = site.browser()
    query = parse_qs(urlsplit(go(browser)).query)
    provider.questions.clear()
    params = {"state": query["state"][0], "code": query["code"][0]} | (
        {} if iss is None else {"iss": iss}
    )
    answer = browser.get("/sign-in/provider/done", params=params)
    assert "cannot be trusted" in refused(site, browser, answer)
    assert provider.questions == [], "the code was given to nobody"


def test_a_provider_that_sends_no_issuer_along_may_leave_it_away(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    provider.issuer_said = None
    browser, _ = through(site)
    assert is_signed_in(browser)


def test_whoever_says_no_at_the_provider_is_not_signed_in_and_its_words_are_not_shown(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    provider.refuses = True
    browser, answer = through(site)
    text = refused(site, browser, answer)
    assert "did not sign you in" in text
    assert "<b>no" not in text


LIES: dict[str, Callable[[Provider], dict[str, Any]]] = {
    "another audience": lambda _: {"aud": "another-client"},
    "several audiences, none of them the party": lambda _: {
        "aud": [CLIENT, "another-client"],
        "azp": "another-client",
    },
    "no audience": lambda _: {"aud": None},
    "another issuer": lambda _: {"iss": "https://another.example.org"},
    "the issuer with a slash": lambda p: {"iss": p.address + "/"},
    "no issuer": lambda _: {"iss": None},
    "expired": lambda p: {"exp": int(p.clock().timestamp()) - 61},
    "no expiry": lambda _: {"exp": None},
    "not yet valid": lambda p: {"nbf": int(p.clock().timestamp()) + 600},
    "issued in the future": lambda p: {"iat": int(p.clock().timestamp()) + 600},
    "another nonce": lambda _: {"nonce": "of another sign-in"},
    "no nonce": lambda _: {"nonce": None},
    "no subject": lambda _: {"sub": None},
    "an empty subject": lambda _: {"sub": ""},
    "a subject that is no text": lambda _: {"sub": 7},
    "a subject that is too long": lambda _: {"sub": "s" * 256},
    "a subject with NUL": lambda _: {"sub": "s\x00"},
    "another access token": lambda _: {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_id_token_that_does_not_hold_is_refused(
    hospital: tuple[Provider, Site], lie: str
) -> None:
    provider, site = hospital
    provider.alters = LIES[lie](provider)
    browser, answer = through(site)
    assert "cannot be trusted" in refused(site, browser, answer)
    assert identities(site.cast) == []


def _with_its_own_key(provider: Provider, nonce: str) -> str:
    key = RSAKey.generate_key(2048, {"kid": "own"})
    header = {"alg": "RS256", "kid": "own", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, provider.claims(nonce), key)


def _altered(provider: Provider, nonce: str) -> str:
    header, _, signature = provider.token(nonce).split(".")
    _, payload, _ = provider.unsigned(nonce).split(".")
    provider.email = "cora@example.org"
    _, other, _ = provider.unsigned(nonce).split(".")
    assert payload != other
    return f"{header}.{other}.{signature}"


FORGERIES: dict[str, Callable[[Provider, str], str]] = {
    "no algorithm": Provider.unsigned,
    "the public key as a shared secret": Provider.signed_by_the_public_key,
    "another key under the same name": lambda p, nonce: jwt.encode(
        {"alg": "RS256", "kid": "rsa"}, p.claims(nonce), RSAKey.generate_key(2048)
    ),
    "the key in its own header": _with_its_own_key,
    "an altered payload": _altered,
    "no token at all": lambda _p, _n: "three.short.words",
    "nothing": lambda _p, _n: "",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_an_id_token_that_the_provider_did_not_sign_is_refused(
    hospital: tuple[Provider, Site], forgery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, site = hospital
    forge = FORGERIES[forgery]
    honest = provider.token

    def forged(nonce: str) -> str:
        monkeypatch.setattr(provider, "token", honest)
        return forge(provider, nonce)

    monkeypatch.setattr(provider, "token", forged)
    browser, answer = through(site)
    assert "cannot be trusted" in refused(site, browser, answer)


def test_a10_failures_at_the_provider_count_for_their_network_address(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    provider.alters = {"aud": "another"}
    browser, _ = through(site)
    provider.alters = {}
    back = go(browser)
    with superuser(site.cast) as owner:
        owner.execute(
            "INSERT INTO sign_in_failure (email_sha256, address, failed_at) SELECT "
            "email_sha256, address, failed_at FROM sign_in_failure, generate_series(2, %s)",
            [guessing.PER_ADDRESS],
        )
    answer = come_back(browser, back)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert browser.get("/sign-in/provider").status_code == 429, "nothing is begun there either"
    site.clock.advance(seconds=guessing.WINDOW.total_seconds() + 1)
    assert come_back(browser, go(browser)).status_code == 303


# ---------------------------------------------------------------- whose account


@pytest.mark.parametrize("verified", [False, None, "true", 1, "yes"])
def test_an_address_that_the_provider_does_not_vouch_for_finds_no_account(
    hospital: tuple[Provider, Site], verified: object
) -> None:
    provider, site = hospital
    provider.verified = verified
    browser, answer = through(site)
    assert "does not vouch" in refused(site, browser, answer)
    assert identities(site.cast) == []


@pytest.mark.parametrize("email", ["nobody@example.org", "x", "", "rita@example.org\x00x"])
def test_nobody_without_an_account_gets_one(hospital: tuple[Provider, Site], email: str) -> None:
    provider, site = hospital
    provider.email = email
    browser, answer = through(site)
    assert "no account for you" in refused(site, browser, answer)
    with superuser(site.cast) as owner:
        assert owner.execute("SELECT count(*) FROM account").fetchone() == (4,)


def test_an_address_that_only_looks_the_same_is_another(hospital: tuple[Provider, Site]) -> None:
    """The Kelvin sign becomes a k in lower case, and is somebody else's mailbox."""
    provider, site = hospital
    make_account(site.cast.database, "kim@example.org", AccountRole.COORDINATOR)
    provider.email = "\N{KELVIN SIGN}im@example.org"
    browser, answer = through(site)
    assert "no account for you" in refused(site, browser, answer)
    provider.email = "KIM@Example.org"
    browser, _ = through(site)
    assert is_signed_in(browser)


def test_a_disabled_account_stays_shut_before_and_after_it_was_bound(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    disable = "UPDATE account SET disabled_at = %s WHERE email = 'rita@example.org'"
    with superuser(site.cast) as owner:
        owner.execute(disable, ["2026-01-01"])
    browser, answer = through(site)
    refused(site, browser, answer)
    with superuser(site.cast) as owner:
        owner.execute(disable, [None])
    through(site)
    assert identities(site.cast) == [("rita@example.org", provider.subject)]
    with superuser(site.cast) as owner:
        owner.execute(disable, ["2026-01-01"])
        owner.execute("DELETE FROM sign_in_session")
    browser, answer = through(site)
    refused(site, browser, answer)


def test_a_simulated_reader_is_nobody_at_a_hospital(hospital: tuple[Provider, Site]) -> None:
    _, site = hospital
    with superuser(site.cast) as owner:
        owner.execute(
            """INSERT INTO account (email, name, role, simulated)
               VALUES ('program@example.org', 'Simulated', 'reader', true)"""
        )
    hospital[0].email = "program@example.org"
    browser, answer = through(site)
    refused(site, browser, answer)


def test_afterwards_the_subject_counts_and_no_address(hospital: tuple[Provider, Site]) -> None:
    """Her address changes to Cora's at the provider: she is still Rita."""
    provider, site = hospital
    through(site)
    provider.email = "cora@example.org"
    browser, _ = through(site)
    assert "Rita" in browser.get("/account").text
    provider.verified = False
    browser, _ = through(site)
    assert "Rita" in browser.get("/account").text
    assert identities(site.cast) == [("rita@example.org", provider.subject)]


def test_an_address_that_was_given_to_somebody_else_opens_nothing(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    through(site)
    with superuser(site.cast) as owner:
        owner.execute("DELETE FROM sign_in_session")
    provider.subject = "a newcomer with Rita's old address"
    browser, answer = through(site)
    assert "somebody whom your hospital knows otherwise" in refused(site, browser, answer)
    assert events(site.cast, "sign_in.provider_refused")[-1][0] == str(site.cast.rita.id)


def test_the_same_subject_of_another_issuer_is_somebody_else(
    hospital: tuple[Provider, Site], cast: Cast
) -> None:
    provider, _ = hospital
    through(site_with(provider, cast))
    with a_provider(provider.clock) as other:
        other.email, other.subject = "rolf@example.org", provider.subject
        site = site_with(other, cast)
        site.clock = other.clock
        browser, _ = through(site)
        assert "Rolf" in browser.get("/account").text
    assert len(identities(cast)) == 2


def test_only_an_administrator_unbinds_an_account_and_the_log_says_who(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    inside, _ = through(site)
    ada = make_account(site.cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    page = f"/accounts/{site.cast.rita.id}"
    browser = site.browser(ada)
    assert provider.address in browser.get(page).text
    assert "unbound" in browser.post(f"{page}/provider/removed").text
    assert not is_signed_in(inside), "who came in by the old subject"
    assert browser.post(f"{page}/provider/removed").status_code == 404
    with superuser(site.cast) as owner:
        found = owner.execute(
            """SELECT entity, actor FROM audit_event WHERE action = 'provider_identity.removed'"""
        ).fetchall()
    assert found == [(str(site.cast.rita.id), str(ada.id))]
    provider.subject = "Rita anew"
    browser, _ = through(site)
    assert is_signed_in(browser)


def test_l8_a_bond_is_not_altered_even_by_the_superuser(hospital: tuple[Provider, Site]) -> None:
    _, site = hospital
    through(site)
    for deed in (
        "UPDATE provider_identity SET account_id = (SELECT id FROM account WHERE name = 'Cora')",
        "UPDATE provider_identity SET subject = 'mine'",
        "TRUNCATE provider_identity",
    ):
        with (
            pytest.raises(psycopg.Error, match="never changed or removed"),
            superuser(site.cast, replica=True) as owner,
        ):
            owner.execute(deed)


def test_p7_whoever_is_erased_is_known_by_no_provider(hospital: tuple[Provider, Site]) -> None:
    provider, site = hospital
    through(site)
    erase_person(site.cast.database.url, email="rita@example.org", reason="Asked for it.")
    assert identities(site.cast) == []
    browser, answer = through(site)
    refused(site, browser, answer)
    assert provider.subject not in str(events(site.cast, "provider_identity.bound"))


# ---------------------------------------------------------------- the rules of the door stay


def test_a5_a_second_factor_is_asked_for_after_the_hospital_too(
    hospital: tuple[Provider, Site],
) -> None:
    _, site = hospital
    secret, _ = set_up(site, site.cast.rita)
    with superuser(site.cast) as owner:
        owner.execute("DELETE FROM sign_in_session")
    browser, answer = through(site, "/account")
    assert answer.headers["location"] == "/sign-in/code?next=/account"
    assert not is_signed_in(browser)
    assert give(browser, "000000").status_code == 422
    assert give(browser, code_of(site, secret)).status_code == 303
    assert is_signed_in(browser)


def test_a5_whom_a_setting_asks_for_a_second_factor_sets_it_up_first(
    hospital: tuple[Provider, Site], cast: Cast
) -> None:
    provider, _ = hospital
    site = site_with(provider, cast, REREAD_SECOND_FACTOR="everybody")
    provider.clock = site.clock
    browser, _ = through(site)
    assert browser.get("/account").headers["location"] == "/account/second-factor"


def test_a14_the_hospital_does_not_stand_for_the_password_before_a_grave_act(
    hospital: tuple[Provider, Site],
) -> None:
    """At a laptop that is still signed in there, no password was typed."""
    provider, site = hospital
    provider.email = "cora@example.org"
    browser, _ = through(site)
    assert browser.get("/account/second-factor").headers["location"].startswith("/confirm?")
    assert browser.post("/studies/bcc-sk/close").status_code == 422
    assert site.cast.reload().state == "open"
    browser.post("/confirm", data={"password": PASSWORD})
    assert browser.post("/studies/bcc-sk/close").status_code == 303


@pytest.mark.parametrize(
    "page", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "/\n/x"]
)
def test_i8_after_the_hospital_one_stays_on_the_site(
    hospital: tuple[Provider, Site], page: str
) -> None:
    _, site = hospital
    browser, answer = through(site, page)
    assert answer.headers["location"] == "/"
    assert is_signed_in(browser)


def test_l6_sign_ins_at_the_hospital_and_refused_ones_are_events_without_addresses_of_mail(
    hospital: tuple[Provider, Site],
) -> None:
    provider, site = hospital
    through(site)
    provider.alters = {"aud": "another"}
    through(site)
    provider.alters = {"email": "nobody@example.org", "sub": "nobody"}
    through(site)
    rita = str(site.cast.rita.id)
    assert events(site.cast, "provider_identity.bound") == [(rita, {"issuer": provider.address})]
    assert [entity for entity, _ in events(site.cast, "sign_in.succeeded")] == [rita]
    whys = [details["why"] for _, details in events(site.cast, "sign_in.provider_refused")]
    assert whys == ["the token was refused: InvalidClaimError", "no account"]
    with superuser(site.cast) as owner:
        logged = owner.execute(
            "SELECT string_agg(payload || entity, '') FROM audit_event WHERE action LIKE 'sign%'"
        ).fetchone()[0]
    assert "@" not in logged
    assert provider.subject not in logged


# ---------------------------------------------------------------- a provider in trouble


def test_a_provider_that_is_away_leaves_the_password(cast: Cast) -> None:
    with a_provider(Clock()) as provider:
        settings = settings_of(provider)
    site = Site(cast, public_url=ADDRESS, **settings)
    browser = site.browser()
    answer = browser.get("/sign-in/provider")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    assert sign_in(browser).status_code == 303


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example.org"},
        {"authorization_endpoint": "http://id.example.org/authorize"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_discovery_that_misleads_is_refused(
    hospital: tuple[Provider, Site], metadata: dict[str, Any]
) -> None:
    provider, site = hospital
    provider.metadata = metadata
    answer = site.browser().get("/sign-in/provider")
    assert answer.status_code == 503
    assert "identity provider" in answer.text


def test_the_discovery_is_kept_for_ten_minutes(hospital: tuple[Provider, Site]) -> None:
    provider, site = hospital
    browser = site.browser()
    for _ in range(3):
        browser.get("/sign-in/provider")
    assert provider.questions == ["discovery"]
    site.clock.advance(minutes=10)
    browser.get("/sign-in/provider")
    assert provider.questions == ["discovery"] * 2


def test_keys_are_fetched_from_no_other_scheme(
    hospital: tuple[Provider, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, site = hospital
    provider.metadata = {"jwks_uri": "http://keys.example.org/"}
    asked: list[object] = []
    look_up = socket.getaddrinfo

    def noting(host: object, *more: object, **named: object) -> object:
        asked.append(host)
        return look_up(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    browser, answer = through(site)
    refused(site, browser, answer, status=503)
    assert set(asked) == {"127.0.0.1"}, "the provider alone was asked"


# ---------------------------------------------------------------- the door, and the settings


def test_the_button_is_there_where_a_provider_is_named(
    hospital: tuple[Provider, Site], cast: Cast
) -> None:
    provider, site = hospital
    page = site.browser().get("/sign-in?next=/studies/a%26b").text
    assert 'href="/sign-in/provider?next=/studies/a%26b"' in page
    assert "Sign in with your hospital account" in page
    named = site_with(provider, cast, REREAD_OIDC_BUTTON="Charité <login>")
    assert "Charité &lt;login&gt;" in named.browser().get("/sign-in").text
    wrong = named.browser().post("/sign-in", data={"email": "x@example.org", "password": "x"})
    assert "Charité" in wrong.text
    assert "provider" not in Site(cast).browser().get("/sign-in").text


WHOLE = {
    "REREAD_OIDC_ISSUER": "https://id.example.org",
    "REREAD_OIDC_CLIENT_ID": "reread",
    "REREAD_OIDC_CLIENT_SECRET": "hush, this is not to be seen",
    "REREAD_PUBLIC_URL": "https://reread.example.org",
}


@pytest.mark.parametrize(
    ("alters", "sentence"),
    [
        ({"REREAD_OIDC_ISSUER": ""}, "also needs REREAD_OIDC_ISSUER"),
        ({"REREAD_OIDC_CLIENT_SECRET": ""}, "also needs REREAD_OIDC_CLIENT_SECRET"),
        ({"REREAD_PUBLIC_URL": ""}, "REREAD_PUBLIC_URL must be set"),
        ({"REREAD_OIDC_ISSUER": "http://id.example.org"}, "must look like https"),
        ({"REREAD_OIDC_ISSUER": "id.example.org"}, "must look like https"),
        ({"REREAD_OIDC_ISSUER": "https://id.example.org/?x=1"}, "must look like https"),
        ({"REREAD_OIDC_ISSUER": "https://[id"}, "must look like https"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(alters: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadSettingError, match=sentence) as refusal:
        Settings.from_environment(WHOLE | alters)
    assert "hush" not in str(refusal.value)


def test_p8_the_clients_secret_is_not_shown_with_the_settings(tmp_path: Path) -> None:
    settings = Settings.from_environment(WHOLE | {"REREAD_DATA": str(tmp_path)})
    assert settings.provider is not None
    assert "hush" not in repr(settings)
