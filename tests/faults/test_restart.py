"""F3: Postgres goes and comes back. F15: the web application is told to end."""

import threading
import time
from collections.abc import Iterator

import httpx2
import psycopg
import pytest
from starlette.testclient import TestClient

from app.db.session import Database
from app.main import build_site
from app.settings import Settings
from tests.torture.postgres import OwnPostgres
from tests.torture.programs import SECRET, Web, environment
from tests.web.site import ADDRESS, SAME_ORIGIN


@pytest.fixture
def web(own: OwnPostgres) -> Iterator[Web]:
    """A web application as a process of its own."""
    folder = own.sockets
    program = Web(log=folder / "web.log", env=environment(own.url(), folder))
    program.start()
    program.wait_until_ready()
    yield program
    program.kill()


def test_f3_after_a_long_outage_service_is_back_within_five_seconds(own: OwnPostgres) -> None:
    """Each request of the outage waits its ten seconds; what counts is the time after it."""
    database = Database(own.url(), secret=SECRET)
    settings = Settings.from_environment(environment(own.url(), own.sockets))
    client = TestClient(
        build_site(settings, database),
        base_url=ADDRESS,
        headers=SAME_ORIGIN,
        cookies={"reread": "nobody's"},  # whose it is, the database is asked
        follow_redirects=False,
    )
    assert client.get("/").status_code == 303
    own.kill()
    answers = [client.get("/") for _ in range(2)]
    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.headers["retry-after"] for answer in answers)
    own.start()
    began = time.monotonic()
    assert client.get("/").status_code == 303
    assert time.monotonic() - began < 5
    database.close()


class Slow:
    """A sign-in that waits for a table which is locked until `release` is called."""

    def __init__(self, own: OwnPostgres, web: Web) -> None:
        self._lock = psycopg.connect(own.url())
        self._lock.execute("LOCK TABLE reread.sign_in_failure IN ACCESS EXCLUSIVE MODE")
        self._url = own.url()
        self.answers: list[int] = []
        self._thread = threading.Thread(target=self._ask, args=[web.address])
        self._thread.start()
        while not self._waits():
            assert self._thread.is_alive()

    def _ask(self, address: str) -> None:
        form = {"email": "nobody@example.org", "password": "not the password"}
        try:
            answer = httpx2.post(address + "/sign-in", data=form, headers=SAME_ORIGIN, timeout=600)
        except httpx2.TransportError:
            self.answers.append(0)
        else:
            self.answers.append(answer.status_code)

    def _waits(self) -> bool:
        with psycopg.connect(self._url) as connection:
            row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
        return row != (0,)

    def release(self) -> None:
        self._lock.close()
        self._thread.join()


def test_f15_a_request_under_way_is_answered_before_the_application_ends(
    own: OwnPostgres, web: Web
) -> None:
    slow = Slow(own, web)
    assert web.process is not None
    web.process.terminate()
    while _takes_connections(web):
        pass
    assert web.runs, "it ended with a request under way"
    slow.release()
    assert slow.answers == [422]
    assert web.process.wait(10) == 0


def test_f15_a_request_that_does_not_come_to_an_end_holds_it_up_no_longer_than_ten_seconds(
    own: OwnPostgres, web: Web
) -> None:
    slow = Slow(own, web)
    began = time.monotonic()
    web.terminate(within=600)
    took = time.monotonic() - began
    slow.release()
    assert slow.answers[0] in {0, 500, 503}, "it was not told that anything was done"
    assert took < 40  # ten, and room for a busy machine


def _takes_connections(web: Web) -> bool:
    try:
        httpx2.get(web.address + "/sign-in", timeout=5)
    except httpx2.TransportError:
        return False
    return True
