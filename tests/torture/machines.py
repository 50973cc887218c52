"""Two web applications, two workers and an object store side by side; one of each is killed.

They share Postgres and the store and nothing else, as on several machines. While simulated readers
read through both web applications, one of these, one of the workers in the middle of its job, and
the store are killed with -9.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from app.db.jobs import JobCounts, job_counts
from app.db.migrate import migrate
from app.db.session import Database, Role
from app.storage import Storage
from tests.s3 import make_bucket, reaching
from tests.torture import programs, study
from tests.torture.compare import Outcome, compare
from tests.torture.course import Course
from tests.torture.lost_jobs import hand_out_again, kill_in_its_job
from tests.torture.postgres import OwnPostgres
from tests.torture.run import let_work, readers_of
from tests.torture.store import Store

READERS, SUBMISSIONS, SEED = 6, 96, 8
IMAGES = 24  # for the workers: six jobs
STORE_AWAY = "did not answer as asked"  # as a program's log says it
PATIENCE = 900.0  # seconds for anything to be there again, on a very busy machine


@dataclass(frozen=True)
class Machines:
    """What runs, and what the programs are told of where the rest is."""

    postgres: OwnPostgres
    database: Database
    store: Store
    prepared: study.Prepared
    folder: Path
    env: dict[str, str]

    def web(self, name: str) -> programs.Web:
        return programs.Web(log=self.folder / f"{name}.log", env=self.env)

    def worker(self, name: str) -> programs.Program:
        return programs.worker(log=self.folder / f"{name}.log", env=self.env)


@contextmanager
def machines(say: Callable[[str], None], *, images: int) -> Iterator[Machines]:
    """Postgres, the store and the studies; `images` wait for workers."""
    folder = Path(tempfile.mkdtemp(prefix="reread-machines-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = stack.enter_context(OwnPostgres(folder))
        store = Store(folder)
        stack.callback(store.kill)
        stack.enter_context(reaching(store.bucket))
        make_bucket(store.bucket)
        migrate(postgres.url(), secret=programs.SECRET)
        database = Database(postgres.url(), secret=programs.SECRET)
        stack.callback(database.close)
        prepared = study.prepare(
            database,
            Storage(store.bucket.url),
            readers=READERS,
            cases=SUBMISSIONS // (2 * READERS),
            images=images,
            progress=say,
        )
        env = programs.environment(postgres.url(), folder)
        env |= {**store.bucket.environment, "REREAD_STORAGE": store.bucket.url}
        yield Machines(postgres, database, store, prepared, folder, env)


def one_of_each_killed() -> Outcome:
    """Let everybody read while a web application, a worker and the store are killed; compare."""
    say = sayer()
    with machines(say, images=IMAGES) as there, ExitStack() as stack:
        webs = [there.web("web1"), there.web("web2")]
        workers = [there.worker("worker1"), there.worker("worker2")]
        for program in (*webs, *workers):
            stack.callback(program.kill)
            program.start()
        for program in (*webs, *workers):
            program.wait_until_ready()
        study.ask_for_scores(there.database, there.prepared)
        course = Course(SUBMISSIONS)
        killer = partial(kill_one_of_each, there, webs[0], workers, course, say)
        say("reading and scoring begin")
        let_work(
            [*readers_of(there.prepared, webs, seed=SEED, course=course), killer],
            course,
            lambda: say(str(course)),
        )
        say(f"all is read and scored: {dict(sorted(course.told.counts.items()))}")
        return compare(there.postgres.url(), course.told, heads=[], env=there.env)


def one_web_broken() -> Outcome:
    """The control: the same set-up, where one of the web applications forgets and tells."""
    say = sayer()
    with machines(say, images=0) as there, ExitStack() as stack:
        log = there.folder / "broken.log"
        broken = programs.BrokenWeb(log=log, env=there.env, canary=there.prepared.canary)
        webs = [there.web("web"), broken]
        for web in webs:
            stack.callback(web.kill)
            web.start()
        for web in webs:
            web.wait_until_ready()
        course = Course(SUBMISSIONS // 2)
        readers = readers_of(there.prepared, webs, seed=SEED, course=course)
        let_work(readers, course, lambda: say(str(course)))
        return compare(there.postgres.url(), course.told, heads=[], env=there.env)


def kill_one_of_each(
    there: Machines,
    web: programs.Web,
    workers: Sequence[programs.Program],
    course: Course,
    say: Callable[[str], None],
) -> None:
    """A worker, a web application, the store; each stays away until others went on without it."""
    course.reach = SUBMISSIONS * 0.1  # no further, until the worker was killed: it may take long
    under_way = kill_in_its_job(workers[0], there.database, course)
    say("the first worker was killed in its job")
    wait_for(lambda: course.acknowledged >= SUBMISSIONS * 0.1, course)
    web.kill()
    before = course.acknowledged
    course.reach = SUBMISSIONS * 0.4  # no further, until the web application is back
    wait_for(lambda: course.acknowledged >= before + 10, course)
    say("without the first web application ten calls were locked")
    web.start()
    web.wait_until_ready()
    there.store.kill()
    # The second worker gets what the first had taken, and cannot do it yet.
    hand_out_again(under_way, there.database, within=PATIENCE)
    before, counts = course.acknowledged, course.told.counts
    course.reach = SUBMISSIONS * 0.75
    wait_for(
        lambda: (
            course.acknowledged >= before + 10
            and counts["pictures that could not be had"]
            and STORE_AWAY in workers[1].said()
        ),
        course,
    )
    say("without the store ten calls were locked, a picture could not be had, and a job waits")
    there.store.start()
    pictures = counts["pictures"]
    course.reach = float("inf")
    wait_for(lambda: counts["pictures"] > pictures, course)
    wait_for(lambda: not jobs_of(there).unfinished, course)
    course.told.broken.extend(wrong_in_scoring(there))


def jobs_of(there: Machines) -> JobCounts:
    with there.database.begin(Role.COORDINATOR, actor=there.prepared.cora.id) as connection:
        return job_counts(connection, there.prepared.scored.id)


def wrong_in_scoring(there: Machines) -> list[str]:
    """What is not as it must be when all jobs are over: every image scored, each once."""
    with psycopg.connect(there.database.url) as owner:
        found = owner.execute(
            """SELECT count(*), count(DISTINCT image_id) FROM reread.prediction
               WHERE study_id = %s""",
            [there.prepared.scored.id],
        ).fetchone()
    jobs = jobs_of(there)
    if (found, jobs) == ((IMAGES, IMAGES), JobCounts(0, 0)):
        return []
    return [f"of {IMAGES} images there are {found} predictions, of as many images; {jobs}"]


def wait_for(seen: Callable[[], object], course: Course) -> None:
    """Wait until it is seen; RuntimeError when it is not, or when the run is broken off."""
    ends = time.monotonic() + PATIENCE
    while not seen():
        if time.monotonic() > ends or course.stop.wait(0.02):
            raise RuntimeError("what was waited for did not come")


def sayer() -> Callable[[str], None]:
    began = time.monotonic()
    return lambda what: print(f"[{time.monotonic() - began:6.1f} s] {what}", flush=True)
