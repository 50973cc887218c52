"""One run: everything started, read and killed, stopped, compared."""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from app.db.migrate import migrate
from app.db.session import Database
from app.storage import Storage
from tests.torture import kills, programs, study
from tests.torture.compare import Outcome, compare
from tests.torture.course import Course
from tests.torture.postgres import OwnPostgres
from tests.torture.reader import Reader
from tests.torture.told import Told

CALLS_A_CASE = 2
IMAGES_A_KILL = 12
WORKER_LIMIT = 900.0  # seconds: a lost job waits for a missed heartbeat and the next minute
LIMIT = 2 * 3600.0  # seconds; then the run is broken off and has failed


@dataclass(frozen=True)
class Size:
    """How large a run is; `control` switches synchronous_commit off, and must lose something."""

    readers: int = 50
    submissions: int = 10_000
    kills: int = 200
    seed: int = 1
    control: bool = False
    webs: int = 2

    @property
    def worker_kills(self) -> int:
        return 0 if self.control else self.kills // 5

    @property
    def cases(self) -> int:
        return -(-self.submissions // (self.readers * CALLS_A_CASE))


def torture(size: Size) -> Outcome:
    """Run it in a folder of its own, which is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="reread-torture-"))
    # A control keeps commits in memory, so that a kill finds some.
    late = {"wal_writer_delay": "10s", "checkpoint_timeout": "1h"} if size.control else {}
    postgres = OwnPostgres(folder, **late)
    try:
        with postgres:
            return _torture(size, postgres, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _torture(size: Size, postgres: OwnPostgres, folder: Path) -> Outcome:
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {what}", flush=True)

    env = programs.environment(postgres.url(), folder)
    migrate(postgres.url(), secret=programs.SECRET)
    database = Database(postgres.url(), secret=programs.SECRET)
    prepared = study.prepare(
        database,
        Storage(folder / "files"),
        readers=size.readers,
        cases=size.cases,
        images=size.worker_kills * IMAGES_A_KILL,
        progress=say,
    )
    webs = [programs.Web(log=folder / f"web{number}.log", env=env) for number in range(size.webs)]
    worker = programs.worker(log=folder / "worker.log", env=env)
    try:
        for web in webs:
            web.start()
        if size.worker_kills:
            worker.start()
            worker.wait_until_ready()
            study.ask_for_scores(database, prepared)
            worker.kill()
        for web in webs:
            web.wait_until_ready()
        if size.control:
            postgres.alter(synchronous_commit="off")
            postgres.hold_wal_writer()
        say(f"reading begins: {size}")
        told, killed = _read(size, postgres, webs, worker, prepared, say)
        if size.worker_kills:
            say("the worker finishes its images; jobs of killed ones are handed out again")
            _let_worker_finish(worker, database, prepared, size, told, say)
    finally:
        database.close()
        for program in (*webs, worker):
            program.kill()
    for name, count in sorted(told.counts.items()):
        say(f"{name}: {count}")
    if killed.back:
        say(
            "from Postgres' answer to the next acknowledged call: "
            f"median {median(killed.back):.2f} s, longest {max(killed.back):.2f} s"
        )
    say(f"{killed}; comparing what was told with what there is")
    return compare(postgres.url(), told, heads=killed.heads, env=env)


def _let_worker_finish(
    worker: programs.Program,
    database: Database,
    prepared: study.Prepared,
    size: Size,
    told: Told,
    say: Callable[[str], None],
) -> None:
    worker.start()
    worker.wait_until_ready()
    ends = time.monotonic() + WORKER_LIMIT
    wanted = size.worker_kills * IMAGES_A_KILL
    while (there := study.scored_images(database, prepared)) < wanted:
        if time.monotonic() > ends or not worker.runs:
            told.breach(f"the worker scored {there} of {wanted} images:\n{worker.said()[-2000:]}")
            return
        say(f"scored {there} of {wanted} images")
        time.sleep(5)


def _read(
    size: Size,
    postgres: OwnPostgres,
    webs: list[programs.Web],
    worker: programs.Program,
    prepared: study.Prepared,
    say: Callable[[str], None],
) -> tuple[Told, kills.Killed]:
    """Let everybody read while the killers are at work; comes back when all are done."""
    course = Course(size.submissions)
    killed = kills.Killed()
    chance = random.Random(size.seed)  # noqa: S311 - a simulation
    here = size.kills - size.worker_kills
    points = sorted(chance.randint(1, int(size.submissions * 0.95)) for _ in range(here))
    victims = [] if size.control else webs
    at_work = [
        *readers_of(prepared, webs, seed=size.seed, course=course),
        partial(
            kills.kill_servers, points, postgres, victims, f"{size.seed} kills", course, killed
        ),
        partial(
            kills.kill_worker,
            size.worker_kills,
            worker,
            postgres.url(),
            f"{size.seed} w",
            course,
            killed,
        ),
    ]
    let_work(at_work, course, lambda: say(f"{course}, {killed}"))
    if killed.total != size.kills:
        course.told.breach(f"{killed.total} kills instead of {size.kills}")
    return course.told, killed


def readers_of(
    prepared: study.Prepared, webs: Sequence[programs.Web], *, seed: int, course: Course
) -> list[Callable[[], None]]:
    """Every simulated reader, ready to read on through any of the web applications."""
    return [
        Reader(
            addresses=[web.address for web in webs],
            token=token,
            study=study.READ,
            canary=prepared.canary,
            seed=f"{seed} reader {number}",
            course=course,
        ).read_on
        for number, token in enumerate(prepared.tokens)
    ]


def let_work(
    at_work: Sequence[Callable[[], None]], course: Course, say: Callable[[], None]
) -> None:
    """Run readers and killers, a thread each, until all are done or one has failed."""
    with ThreadPoolExecutor(len(at_work)) as pool:
        running = [pool.submit(one) for one in at_work]
        try:
            while wait(running, timeout=5, return_when=FIRST_EXCEPTION).not_done:
                say()
                broken = any(one.done() and one.exception() for one in running)
                if broken or course.seconds > LIMIT:
                    course.told.breach("broken off: a thread failed, or it took too long")
                    break
        finally:
            course.stop.set()  # Ctrl-C, too, ends every reader and killer
    for one in running:
        if (fault := one.exception()) is not None:
            course.told.breach(f"a thread failed: {fault!r}")
