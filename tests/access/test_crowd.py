"""A hundred people at the door at once, over real HTTP (A4)."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import httpx2
import pytest
import uvicorn

from app.actions import passwords
from tests.conftest import PASSWORD
from tests.reading.steps import superuser
from tests.web.site import SAME_ORIGIN, Site

CROWD = 100


class SlowHasher:
    """Hashes that take until the test says so, and how many of them ran at a time."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.lock = threading.Lock()
        self.full = threading.Event()
        self.go_on = threading.Event()

    def verify(self, _stored: str, password: str) -> bool:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == passwords.MOST_AT_ONCE:
                self.full.set()
        assert self.go_on.wait(600)
        with self.lock:
            self.running -= 1
        return password == PASSWORD

    def check_needs_rehash(self, _stored: str) -> bool:
        return False


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=2 * CROWD) as listening:
        config = uvicorn.Config(
            site.protected, log_level="warning", access_log=False, lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_a4_a_crowd_at_the_door_fills_neither_memory_nor_the_house(
    site: Site, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four hashes at a time (64 MiB each); who is inside, and who looks in, is served meanwhile."""
    hasher = SlowHasher()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    with superuser(site.cast) as owner:
        owner.execute(
            """INSERT INTO account (email, name, role, password_hash)
               SELECT format('r%%s@example.org', n), 'Reader', 'reader', 'x'
               FROM generate_series(1, %s) n""",
            [CROWD],
        )
    inside = {"Cookie": f"reread={site.session(site.cast.rolf)}"}
    limits = httpx2.Limits(max_connections=2 * CROWD)
    with (
        httpx2.Client(base_url=address, headers=SAME_ORIGIN, limits=limits, timeout=900) as door,
        ThreadPoolExecutor(CROWD) as people,
    ):

        def sign_in(number: int) -> int:
            form = {"email": f"r{number}@example.org", "password": PASSWORD}
            return door.post("/sign-in", data=form).status_code

        waiting = [people.submit(sign_in, number) for number in range(1, CROWD + 1)]
        try:
            assert hasher.full.wait(600)
            for _ in range(20):
                assert door.get("/studies/bcc-sk/read", headers=inside).status_code == 200
                assert door.get("/health").text == "ok"
            assert not any(future.done() for future in waiting), "the crowd is still waiting"
        finally:
            hasher.go_on.set()
        wait(waiting, timeout=900)
    assert [future.result() for future in waiting] == [303] * CROWD
    assert hasher.most == passwords.MOST_AT_ONCE
