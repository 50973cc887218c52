"""Kills with -9 at random points: of web and Postgres between the readers' calls, of the worker."""

import random
import time
from dataclasses import dataclass, field

import psycopg

from app.db.administrator import head_of
from app.domain.audit_chain import Anchor
from tests.torture.course import Course
from tests.torture.postgres import OwnPostgres
from tests.torture.programs import Program, Web
from tests.torture.study import READ

WORKER_PATIENCE = 900.0  # seconds for a worker to load its model and store an image
PATIENCE = 60.0  # seconds for service to be back after Postgres is; how long it took is printed
SLACK = 40  # calls beyond the next kill's point, so that service can be seen to be back


@dataclass
class Killed:
    """What was killed how often, how long until service was back, and heads seen before."""

    web: int = 0
    postgres: int = 0
    worker: int = 0
    back: list[float] = field(default_factory=list)  # seconds after Postgres answered again
    heads: list[Anchor] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.web + self.postgres + self.worker

    def __str__(self) -> str:
        return (
            f"killed {self.total} (web {self.web}, Postgres {self.postgres}, worker {self.worker})"
        )


def kill_servers(
    points: list[int],
    postgres: OwnPostgres,
    webs: list[Web],
    seed: str,
    course: Course,
    killed: Killed,
) -> None:
    """Kill web or Postgres each time this many calls are acknowledged, a random moment later."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    at_web = [bool(webs) and number % 2 == 0 for number in range(len(points))]
    chance.shuffle(at_web)
    following_points = [*points[1:], course.submissions]
    for point, following, is_web in zip(points, following_points, at_web, strict=True):
        course.reach = following + SLACK
        while course.acknowledged < point:
            if course.stop.wait(0.02):
                return
        time.sleep(chance.uniform(0, 0.15))
        if is_web:
            victim = chance.choice(webs)
            victim.kill()
            killed.web += 1
            victim.start()
            victim.wait_until_ready()
        else:
            _kill_postgres(postgres, killed, course)
    course.reach = float("inf")


def _kill_postgres(postgres: OwnPostgres, killed: Killed, course: Course) -> None:
    head = head_of(postgres.url(), READ)
    if head is not None:
        killed.heads.append(head)
    postgres.kill()
    killed.postgres += 1
    postgres.start()
    began, before = time.monotonic(), course.acknowledged
    course.reach = max(course.reach, before + SLACK)  # readers who ran ahead may go on
    while course.acknowledged == before and time.monotonic() - began < PATIENCE:
        if course.stop.wait(0.01) or before >= course.submissions:
            return  # nobody is left to ask
    killed.back.append(time.monotonic() - began)


def kill_worker(
    times: int, worker: Program, url: str, seed: str, course: Course, killed: Killed
) -> None:
    """Kill the worker in the middle of its images, this often; it is left stopped."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    before = 0
    while killed.worker < times and not course.stop.is_set():
        before = max(before, _predictions(url))
        worker.start()
        wanted = before + chance.randint(1, 4)
        began = time.monotonic()
        while _predictions(url) < wanted:
            if course.stop.wait(0.02) or not worker.runs:
                break  # one that could not reach its database has ended by itself
            if time.monotonic() - began > WORKER_PATIENCE:
                raise RuntimeError(f"the worker stores nothing:\n{worker.said()[-2000:]}")
        else:
            time.sleep(chance.uniform(0, 0.1))
            worker.kill()
            killed.worker += 1
    worker.kill()


def _predictions(url: str) -> int:
    """How many images have theirs; -1 while Postgres is away."""
    try:
        with psycopg.connect(url, connect_timeout=60) as connection:
            row = connection.execute("SELECT count(*) FROM reread.prediction").fetchone()
    except psycopg.OperationalError:
        return -1
    return row[0] if row else 0
