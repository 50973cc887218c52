"""Sign-ins that are begun and not ended: each is a row, and nobody fills the table (A10)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import sql
from starlette.testclient import TestClient

from app.actions import guessing
from app.actions.guessing import network_of
from app.actions.passkeys import CHALLENGE, PasskeySite, begin_sign_in
from app.actions.sign_in_at_provider import UNDER_WAY
from app.db.session import Role
from app.domain.errors import TooManyAttempts
from tests.access.authenticator import Device
from tests.access.provider import Provider, a_provider, settings_of
from tests.access.test_guessing import at_once, guess
from tests.access.test_passkeys import add, use
from tests.access.test_provider import come_back, go
from tests.access.test_sign_in import fail, is_signed_in
from tests.conftest import Cast
from tests.reading.steps import superuser
from tests.web.site import SAME_ORIGIN, Clock, Site

NAME = "https://reread.example.org"
HERE, THERE = "192.0.2.7", "192.0.2.8"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with a_provider(Clock()) as answering:
        yield answering


@pytest.fixture
def site(provider: Provider, cast: Cast) -> Site:
    """A site with both ways in."""
    return Site(cast, public_url=NAME, **settings_of(provider))


def browser_at(site: Site, address: str) -> TestClient:
    return TestClient(
        site.protected,
        base_url=NAME,
        headers=SAME_ORIGIN,
        client=(address, 50000),
        follow_redirects=False,
    )


def rows(cast: Cast, table: str) -> list[str]:
    """The networks of the rows."""
    with superuser(cast) as owner:
        query = sql.SQL("SELECT network FROM {} ORDER BY expires_at, network")
        found = owner.execute(query.format(sql.Identifier(table)))
        return [network for (network,) in found]


WAYS: dict[str, tuple[Callable[[TestClient], int], int, str, int]] = {
    "at a hospital": (
        lambda browser: browser.get("/sign-in/provider").status_code,
        303,
        "provider_sign_in",
        int(UNDER_WAY.total_seconds()),
    ),
    "by passkey": (
        lambda browser: browser.post("/sign-in/passkey/challenge").status_code,
        200,
        "passkey_challenge",
        int(CHALLENGE.total_seconds()),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a10_so_many_are_begun_from_one_address_and_no_more_until_they_expire(
    site: Site, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, done, table, seconds = WAYS[way]
    monkeypatch.setattr(guessing, "BEGUN_PER_ADDRESS", 7)
    here = browser_at(site, HERE)
    assert [begin(here) for _ in range(9)] == [done] * 7 + [429] * 2
    assert rows(site.cast, table) == [HERE] * 7
    assert begin(browser_at(site, THERE)) == done, "elsewhere nobody waits"
    site.clock.advance(seconds=seconds - 1)
    assert begin(here) == 429
    site.clock.advance(seconds=1)
    assert begin(here) == done
    assert rows(site.cast, table) == [HERE], "those that expired are gone, whosever they were"


def test_a10_the_bounds_are_those_that_the_manual_names() -> None:
    """The other tests make them small."""
    manual = " ".join((Path(__file__).parents[2] / "docs" / "security.md").read_text().split())
    assert "are a hundred an address at most, ten thousand in all" in manual
    assert (guessing.BEGUN_PER_ADDRESS, guessing.BEGUN_AT_ALL) == (100, 10_000)
    assert "A hundred guesses beyond the limit of fifty can be under way from one address" in manual
    assert (guessing.UNCHECKED_PER_ADDRESS, guessing.PER_ADDRESS) == (100, 50)


def test_a10_the_refusal_says_how_long_to_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "BEGUN_PER_ADDRESS", 0)
    browser = browser_at(site, HERE)
    for answer, minutes in (
        (browser.get("/sign-in/provider"), 10),
        (browser.post("/sign-in/passkey/challenge"), 5),
    ):
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == str(minutes * 60)
        assert f"Wait {minutes} minutes" in answer.text


def test_a10_a_ward_that_comes_back_from_its_hospital_begins_again_and_again(
    provider: Provider, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is ended does not count: only what was begun and left."""
    monkeypatch.setattr(guessing, "BEGUN_PER_ADDRESS", 1)
    monkeypatch.setattr("tests.access.test_provider.ADDRESS", NAME)
    provider.clock = site.clock
    for _ in range(3):
        browser = browser_at(site, HERE)
        assert come_back(browser, go(browser)).status_code == 303
        assert is_signed_in(browser)
    assert rows(site.cast, "provider_sign_in") == []


def test_a10_a_ward_that_signs_in_by_passkey_does_so_again_and_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(NAME)
    assert add(site, site.cast.rita, device).status_code == 303
    monkeypatch.setattr(guessing, "BEGUN_PER_ADDRESS", 1)
    for _ in range(3):
        browser = browser_at(site, HERE)
        assert use(browser, device).status_code == 303
        assert is_signed_in(browser)
    assert rows(site.cast, "passkey_challenge") == []


def test_a10_adding_passkeys_has_the_same_bound(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guessing, "BEGUN_PER_ADDRESS", 2)
    browser = browser_at(site, HERE)
    browser.cookies.set("__Host-reread", site.session(site.cast.rita))
    answers = [browser.post("/account/passkeys/challenge").status_code for _ in range(3)]
    assert answers == [200, 200, 429]


def test_a10_forty_begun_at_once_are_as_many_as_may_be(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guessing, "BEGUN_PER_ADDRESS", 7)
    passkey_site = PasskeySite.of(NAME)
    assert passkey_site is not None

    def begin(_number: int) -> str:
        try:
            with site.cast.database.begin(Role.ACCOUNT, actor=None) as connection:
                begin_sign_in(connection, passkey_site, address=HERE, now=site.clock())
        except TooManyAttempts:
            return "refused"
        return "begun"

    assert at_once(40, begin).count("begun") == 7
    assert len(rows(site.cast, "passkey_challenge")) == 7


@pytest.mark.parametrize("way", WAYS)
def test_a10_from_everywhere_so_many_are_kept_the_newest_ones(
    site: Site, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many addresses fill no disk either, and whoever is quick comes in meanwhile."""
    begin, done, table, _seconds = WAYS[way]
    monkeypatch.setattr(guessing, "BEGUN_AT_ALL", 3)
    for number in range(6):
        site.clock.advance(seconds=1)
        assert begin(browser_at(site, f"192.0.2.{number}")) == done
    assert rows(site.cast, table) == ["192.0.2.3", "192.0.2.4", "192.0.2.5"]


@pytest.mark.parametrize("way", WAYS)
def test_a10_whoever_guessed_too_much_begins_nothing_either(site: Site, way: str) -> None:
    begin, done, table, _seconds = WAYS[way]
    fail(site, email="x@example.org", times=guessing.PER_ADDRESS, address=HERE)
    assert begin(browser_at(site, HERE)) == 429
    assert rows(site.cast, table) == []
    assert begin(browser_at(site, THERE)) == done


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:DB8:1:2::", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a10_addresses_that_one_machine_can_choose_among_are_one(
    address: str, network: str
) -> None:
    assert network_of(address) == network


def test_a10_guesses_from_ever_new_addresses_of_one_network_are_counted_together(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An IPv6 network of one household has 2^64 addresses."""
    monkeypatch.setattr(guessing, "PER_SUBJECT", 100)
    monkeypatch.setattr(guessing, "PER_ADDRESS", 4)
    answers = [guess(site, address=f"2001:db8:1:2::{number:x}") for number in range(1, 7)]
    assert answers == ["wrong"] * 4 + ["refused"] * 2
    assert guess(site, address="2001:db8:1:3::1") == "wrong"
