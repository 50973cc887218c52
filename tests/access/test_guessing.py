"""Guessing, many at once and for long: what is counted, and whom it keeps out (A4, A10)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.actions import guessing
from app.actions.manage_accounts import Visitor
from app.actions.manage_accounts import sign_in as sign_in_action
from app.domain.errors import TooManyAttempts
from tests.access.test_sign_in import fail, failures, sign_in
from tests.conftest import PASSWORD
from tests.web.site import Site

RITA = "rita@example.org"
WRONG = "a guess at the password"


def guess(
    site: Site,
    *,
    password: str = WRONG,
    address: str = "192.0.2.7",
    device: str = "",
) -> str:
    """What becomes of one guess: "in", "wrong" or "refused"."""
    try:
        done = sign_in_action(
            site.cast.database,
            email=RITA,
            password=password,
            visitor=Visitor(address, device=device),
            now=site.clock(),
        )
    except TooManyAttempts:
        return "refused"
    return "wrong" if done is None else "in"


def at_once(count: int, act: Callable[[int], str]) -> list[str]:
    """Do the same many times at the same moment."""
    start = threading.Barrier(count)

    def one(number: int) -> str:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as people:
        return list(people.map(one, range(count)))


def test_a10_forty_guesses_sent_at_once_are_ten(site: Site) -> None:
    """From forty addresses, to a database that two processes could share as well."""
    answers = at_once(40, lambda number: guess(site, address=f"192.0.2.{number}"))
    assert answers.count("wrong") == guessing.PER_SUBJECT
    assert answers.count("refused") == 40 - guessing.PER_SUBJECT


def test_a10_without_the_lock_more_would_pass(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the test before this one can fail."""
    from app.db import accounts

    monkeypatch.setattr(accounts, "lock_guesses", lambda _connection, **_names: None)
    real = accounts.failures_since
    start = threading.Barrier(20)

    def counted_together(*found: object, **names: object) -> accounts.Failures:
        counts = real(*found, **names)
        start.wait(600)
        return counts

    monkeypatch.setattr(accounts, "failures_since", counted_together)
    site.cast.database.connections = 30
    answers = at_once(20, lambda number: guess(site, address=f"192.0.2.{number}"))
    assert answers.count("wrong") > guessing.PER_SUBJECT


def test_a10_a_guess_that_was_never_answered_counts(site: Site) -> None:
    """Its process was killed, or its connection cut."""
    for _ in range(guessing.PER_SUBJECT):
        guessing.begin_attempt(
            site.cast.database,
            subject=guessing.stranger(RITA),
            address="192.0.2.7",
            now=site.clock(),
        )
    assert guess(site, password=PASSWORD) == "refused"
    site.clock.advance(seconds=guessing.WINDOW.total_seconds() + 1)
    assert guess(site, password=PASSWORD) == "in"


def test_a10_strangers_who_guess_do_not_keep_the_owner_out_at_a_known_device(site: Site) -> None:
    browser = site.browser()
    assert sign_in(browser).status_code == 303
    browser.post("/sign-out")
    fail(site, email=RITA, times=guessing.PER_SUBJECT)
    fail(site, email="x@example.org", times=guessing.PER_ADDRESS, address="testclient")
    assert sign_in(site.browser()).status_code == 429, "elsewhere one waits"
    assert sign_in(browser).status_code == 303


def test_a10_a_known_device_has_ten_guesses_too(site: Site) -> None:
    browser = site.browser()
    sign_in(browser)
    for _ in range(guessing.PER_SUBJECT):
        assert sign_in(browser, password=WRONG).status_code == 422
    assert sign_in(browser).status_code == 429


def test_a10_a_device_is_known_for_the_accounts_that_used_it_alone(site: Site) -> None:
    browser = site.browser()
    sign_in(browser)
    fail(site, email="rolf@example.org", times=guessing.PER_SUBJECT)
    assert sign_in(browser, "rolf@example.org").status_code == 429


def test_a10_two_people_share_a_device_and_a_copy_of_its_token_grows_stale(site: Site) -> None:
    browser = site.browser()
    sign_in(browser)
    copied = browser.cookies["reread-device"]
    sign_in(browser, "rolf@example.org")
    for email in (RITA, "rolf@example.org"):
        fail(site, email=email, times=guessing.PER_SUBJECT)
        assert sign_in(browser, email).status_code == 303
    assert guess(site, password=PASSWORD, device=copied) == "refused"


@pytest.mark.parametrize("device", ["x", "\x00", "a" * 43, "\ud800"])
def test_a10_a_made_up_device_is_none(site: Site, device: str) -> None:
    fail(site, email=RITA, times=guessing.PER_SUBJECT)
    assert guess(site, password=PASSWORD, device=device) == "refused"


def test_a10_a_ward_that_signs_in_at_once_through_one_address_is_no_attack(site: Site) -> None:
    """Guesses not yet checked are no wrong ones; their number is bounded all the same."""
    for number in range(guessing.PER_ADDRESS + 10):
        guessing.begin_attempt(
            site.cast.database,
            subject=guessing.stranger(f"reader{number}@example.org"),
            address="192.0.2.7",
            now=site.clock(),
        )
    assert guess(site, password=PASSWORD) == "in"
    fail(
        site, email="x@example.org", times=guessing.UNCHECKED_PER_ADDRESS - 11, address="192.0.2.7"
    )
    assert guess(site, password=PASSWORD) == "refused"


def test_a10_guesses_from_ever_new_addresses_are_ten(site: Site) -> None:
    """The process is another one half-way, and knows what the first has counted."""
    answers = [guess(site, address=f"198.51.{n // 250}.{n % 250}") for n in range(200)]
    another = Site(site.cast)
    another.clock = site.clock
    answers += [guess(another, address=f"203.0.{n // 250}.{n % 250}") for n in range(200)]
    assert answers.count("wrong") == guessing.PER_SUBJECT
    assert failures(site.cast) == guessing.PER_SUBJECT


def test_a10_the_guesses_of_yesterday_are_not_kept(site: Site) -> None:
    fail(site, email="x@example.org", times=5)
    site.clock.advance(days=1, seconds=1)
    guess(site)
    assert failures(site.cast) == 1
