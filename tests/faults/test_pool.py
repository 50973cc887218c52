"""F4: more people than connections. F7: nothing waits for ever."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest
from fastapi.dependencies.models import Dependant

from app.db.session import Database, Role
from app.domain.reading import ReadingState
from app.main import build_site, utc_now
from app.settings import Settings
from app.web.access import PERMISSIONS, _password_is_fresh, routes_of
from app.web.turns import a_turn
from tests.conftest import Cast
from tests.reading.steps import bring_to, superuser
from tests.web.live import serving
from tests.web.site import SAME_ORIGIN, Site, open_session
from tests.web.test_saved import fail_at_commit, form

AT_ONCE = 60


@contextmanager
def small_site(cast: Cast, *, wait: float):
    """The site on a pool of five connections a role, and a client signed in as Rita."""
    database = Database(cast.database.url, secret=None, connections=5, wait=wait)
    settings = Settings.from_environment({"REREAD_STORAGE": cast.storage.url})
    token = open_session(database, cast.rita, now=utc_now())
    with (
        serving(build_site(settings, database)) as address,
        httpx2.Client(
            base_url=address,
            headers=SAME_ORIGIN,
            cookies={"reread": token},
            timeout=900,
            limits=httpx2.Limits(max_connections=AT_ONCE),
        ) as client,
    ):
        yield client
    database.close()


def test_f4_more_requests_than_threads_and_connections_do_not_wait_for_each_other(
    cast: Cast,
) -> None:
    """Each holds a connection while it waits for a thread, or a thread while it waits for one."""
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    asked = ["/studies/bcc-sk/read", f"/readings/{assignment}/images/1"] * (AT_ONCE // 2)
    patience = 600.0
    with small_site(cast, wait=patience) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        began = time.monotonic()
        answers = list(pool.map(client.get, asked))
        assert {answer.status_code for answer in answers} == {200}
        assert time.monotonic() - began < patience


def test_f4_who_asks_is_known_before_a_turn_is_kept(open_site: Site) -> None:
    """Whoever has a turn never waits for another one: a crowd of them would wait for ever."""
    for route in routes_of(open_site.app):
        calls = list(in_order(route.dependant))
        if a_turn in calls:
            known = calls[: calls.index(a_turn)]
            asking = [one for one in calls if one in {*PERMISSIONS, _password_is_fresh}]
            assert set(asking) <= set(known), route.path


def in_order(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield from in_order(inner)
    yield dependant.call


def test_f4_slow_queries_end_in_a_bounded_wait_and_a_clear_answer(cast: Cast) -> None:
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    sent = [form() for _ in range(AT_ONCE)]
    with small_site(cast, wait=1) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        with superuser(cast) as owner:
            owner.execute("LOCK TABLE reading IN EXCLUSIVE MODE")
            asked = [
                pool.submit(client.post, f"/readings/{assignment}/unaided", data=one)
                for one in sent
            ]
            waited = threading.Event()
            for one in asked:
                one.add_done_callback(lambda _: waited.set())
            assert waited.wait(600), "somebody is told before the slow ones are done"
        answers = [one.result() for one in asked]
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {303, 409, 503}
        assert statuses.count(503) > 0
        assert all(a.headers.get("retry-after") for a in answers if a.status_code == 503)
        saved = [
            one for one, answer in zip(sent, answers, strict=True) if answer.status_code == 303
        ]
        assert len(saved) <= 1
        # Nothing is stuck, and whoever was told 503 finds out by sending the same form again.
        again = [client.post(f"/readings/{assignment}/unaided", data=one) for one in sent[:3]]
        assert {answer.status_code for answer in again} <= {303, 409}
    with superuser(cast) as owner:
        assert owner.execute("SELECT count(*) FROM reading").fetchone() == (1,)


@pytest.mark.parametrize("role", list(Role))
def test_f7_every_connection_has_its_timeouts(open_copy: Cast, role: Role) -> None:
    with open_copy.begin(role, None) as connection:
        found = [
            connection.execute(f"SHOW {name}").fetchone()[0]
            for name in (
                "lock_timeout",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
            )
        ]
        assert connection.info.get_parameters()["connect_timeout"] == "5"
    assert found == ["10s", "1min", "2min"]


@pytest.mark.parametrize("code", ["55P03", "57014", "25P03"])
def test_f7_a_timeout_is_answered_as_not_saved(site: Site, code: str) -> None:
    assignment = bring_to(site.cast, site.cast.rita, ReadingState.SERVED)
    fail_at_commit(site.cast, code)
    answer = site.browser(site.cast.rita).post(f"/readings/{assignment}/unaided", data=form())
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
