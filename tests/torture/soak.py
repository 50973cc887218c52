"""A long run at a reader's pace: whether the web application grows, and what it leaves behind.

`make soak` runs it (READERS, MINUTES, PAUSE); tests/faults runs its short form, and one against a
web application that leaks, which must be noticed. Nothing is killed here. Linux only.
"""

import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import httpx2
import psycopg

from app.db.migrate import migrate
from app.db.session import Database
from app.storage import Storage
from tests.conftest import case_files
from tests.torture import programs, study
from tests.torture.compare import Outcome, compare
from tests.torture.course import Course
from tests.torture.postgres import OwnPostgres
from tests.torture.reader import Reader
from tests.web.site import open_session

# What may come and go at any moment: caches that fill, pools that open a connection, a form that
# is being read just now.
SLACK_MEMORY = 24 * 1024**2  # bytes
SLACK_FILES = 12
PAGES = ("", "/cases", "/readers", "/monitor", "/design", "/import", "/results")

# A web application as no release may be: each request leaves an open file, a temporary one and
# some memory behind.
LEAKING = """
import tempfile
from app.__main__ import main
from app.web import observed

kept = []
note = observed.Observed._note

def keeping(self, *facts):
    kept.append((tempfile.NamedTemporaryFile(delete=False), bytearray(400_000)))
    note(self, *facts)

observed.Observed._note = keeping
raise SystemExit(main())
"""


@dataclass(frozen=True)
class Length:
    """How many read for how long, and how many seconds each waits on average between two steps."""

    readers: int = 50
    minutes: float = 30
    pause: float = 4.0
    seed: int = 1
    leaking: bool = False

    @property
    def cases(self) -> int:
        """As many as a reader gets through, with four steps each."""
        return max(4, round(self.minutes * 60 / (4 * max(self.pause, 0.5))))


@dataclass(frozen=True)
class Sample:
    """What the web application holds at one moment."""

    seconds: float
    memory: int  # bytes, resident
    files: int  # open, of all kinds
    threads: int
    connections: int  # of the application's roles, in Postgres
    temporary: int  # files in its temporary folder


@dataclass
class Soaked:
    """The end of a run: `grown` says what grew, `outcome` what became of the calls."""

    samples: list[Sample]
    milliseconds: list[float]
    outcome: Outcome
    grown: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return self.outcome.clean and not self.grown

    def __str__(self) -> str:
        first, last = thirds(self.samples)
        times = sorted(self.milliseconds)
        return (
            f"memory {mib(first, 'memory')} -> {mib(last, 'memory')} MiB, open files "
            f"{middle(first, 'files'):.0f} -> {middle(last, 'files'):.0f}, threads "
            f"{middle(first, 'threads'):.0f} -> {middle(last, 'threads'):.0f}, connections "
            f"{middle(first, 'connections'):.0f} -> {middle(last, 'connections'):.0f}, temporary "
            f"files {self.samples[0].temporary} -> {self.samples[-1].temporary}; {len(times)} "
            f"answers, half within {median(times):.0f} ms, 95 % within "
            f"{times[int(len(times) * 0.95)]:.0f} ms; {self.outcome}; "
            f"{'grown: ' + ', '.join(self.grown) if self.grown else 'nothing grew'}"
        )


def middle(samples: Sequence[Sample], of: str) -> float:
    return median(getattr(sample, of) for sample in samples)


def mib(samples: Sequence[Sample], of: str) -> str:
    return f"{middle(samples, of) / 1024**2:.0f}"


def thirds(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """The second and the last third: in the first one everything is loaded for the first time."""
    third = len(samples) // 3
    return samples[third : 2 * third], samples[-third:]


def grown(samples: Sequence[Sample]) -> list[str]:
    """Say what is more in the last third than in the second, or was left behind at the end."""
    first, last = thirds(samples)
    found: list[str] = []
    for of, slack in (
        ("memory", SLACK_MEMORY),
        ("files", SLACK_FILES),
        ("threads", SLACK_FILES),
        ("connections", SLACK_FILES),
    ):
        before, after = middle(first, of), middle(last, of)
        if after > before + slack:
            found.append(f"{of} from {before:.0f} to {after:.0f}")
    if samples[-1].temporary > samples[0].temporary:
        found.append(f"{samples[-1].temporary - samples[0].temporary} temporary files left behind")
    return found


class Calm(Reader):
    """A reader who looks before each step, and goes on looking when all cases are read."""

    pause = 0.0

    def __init__(self, *, milliseconds: list[float], pause: float, **reader: object) -> None:
        super().__init__(**reader)  # type: ignore[arg-type]
        self.milliseconds = milliseconds
        self.pause = pause

    def read_on(self) -> None:
        """Until told to stop."""
        with self.client:
            while not self.course.stop.wait(self.chance.uniform(0, 2 * self.pause)):
                if not self.step():
                    self.ask("GET", "/")

    def watch(self, answer: httpx2.Response) -> None:
        """Note how long it took, besides."""
        self.milliseconds.append(answer.elapsed.total_seconds() * 1000)
        super().watch(answer)


def coordinate(address: str, token: str, course: Course, *, pause: float) -> None:
    """Look at every page of the study, and try imports that are refused: they leave files to tidy.

    Somebody without an account knocks as well, with a wrong password and a token that is none.
    """
    headers, cookies = {"Sec-Fetch-Site": "same-origin"}, {"reread": token}
    table, pictures = case_files(3)
    with (
        httpx2.Client(headers=headers, cookies=cookies, timeout=60) as cora,
        httpx2.Client(headers=headers, timeout=60) as stranger,
    ):
        number = 0
        while not course.stop.wait(pause):
            page = PAGES[number % len(PAGES)]
            expect(course, cora.get(f"{address}/studies/{study.READ}{page}"), 200, 303, 404, 409)
            if page == "/import":
                files = {
                    "cases": ("cases.csv", table, "text/csv"),
                    "images": ("images.zip", pictures[:-100], "application/zip"),
                }
                answer = cora.post(f"{address}/studies/{study.SCORED}/import", files=files)
                expect(course, answer, 422)
                wrong = {"email": f"nobody{number}@example.org", "password": "not the password"}
                expect(course, stranger.post(f"{address}/sign-in", data=wrong), 422, 429)
                expect(course, stranger.get(f"{address}/api/v1/studies"), 401, 429)
            number += 1


def expect(course: Course, answer: httpx2.Response, *statuses: int) -> None:
    course.told.count("looks of a coordinator and a stranger")
    if answer.status_code not in statuses:
        course.told.breach(f"{answer.request.url} was answered {answer.status_code}")


def soak(length: Length, say: Callable[[str], None]) -> Soaked:
    """Run it in a folder of its own, which is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="reread-soak-"))
    try:
        with OwnPostgres(folder) as postgres:
            return _soak(length, postgres, folder, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _soak(
    length: Length, postgres: OwnPostgres, folder: Path, say: Callable[[str], None]
) -> Soaked:
    temporary = folder / "temporary"
    temporary.mkdir()
    env = programs.environment(postgres.url(), folder) | {"TMPDIR": str(temporary)}
    migrate(postgres.url(), secret=programs.SECRET)
    database = Database(postgres.url(), secret=programs.SECRET)
    prepared = study.prepare(
        database,
        Storage(folder / "files"),
        readers=length.readers,
        cases=length.cases,
        images=0,
        progress=say,
    )
    cora = open_session(database, prepared.cora, now=datetime.now(UTC))
    database.close()
    web = programs.Web(log=folder / "web.log", env=env)
    if length.leaking:
        web.program = ["-c", LEAKING]
    course, milliseconds = Course(sys.maxsize), list[float]()
    people: list[Callable[[], None]] = [
        Calm(
            milliseconds=milliseconds,
            pause=length.pause,
            addresses=[web.address],
            token=token,
            study=study.READ,
            canary=prepared.canary,
            seed=f"{length.seed} reader {number}",
            course=course,
        ).read_on
        for number, token in enumerate(prepared.tokens)
    ]
    people.append(lambda: coordinate(web.address, cora, course, pause=length.pause))
    web.start()
    try:
        web.wait_until_ready()
        samples = _watched(length, people, course, partial(_sample, web, postgres, temporary), say)
    finally:
        web.kill()
    outcome = compare(postgres.url(), course.told, heads=[], env=env)
    for name, count in sorted(course.told.counts.items()):
        say(f"{name}: {count}")
    return Soaked(samples, milliseconds, outcome, grown(samples))


def _watched(
    length: Length,
    people: Sequence[Callable[[], None]],
    course: Course,
    sample: Callable[[float], Sample],
    say: Callable[[str], None],
) -> list[Sample]:
    """Let everybody go on for the time, and look at the application some ninety times."""
    threads = [threading.Thread(target=_noting, args=[one, course]) for one in people]
    samples = [sample(0)]
    for thread in threads:
        thread.start()
    began, each = time.monotonic(), length.minutes * 60 / 90
    try:
        while (now := time.monotonic() - began) < length.minutes * 60 and not course.told.broken:
            time.sleep(each)
            samples.append(sample(now + each))
            if len(samples) % 10 == 0:
                say(f"{samples[-1]}")
    finally:
        course.stop.set()  # Ctrl-C, too, ends everybody
        for thread in threads:
            thread.join()
    samples.append(sample(time.monotonic() - began))
    return samples


def _noting(one: Callable[[], None], course: Course) -> None:
    try:
        one()
    except Exception as fault:  # a person who ended by a fault must not be missed quietly
        course.told.breach(f"a thread failed: {fault!r}")
        raise


def _sample(web: programs.Web, postgres: OwnPostgres, temporary: Path, seconds: float) -> Sample:
    assert web.process is not None
    process = Path("/proc") / str(web.process.pid)
    status = dict(
        line.split(":", maxsplit=1) for line in (process / "status").read_text().splitlines()
    )
    with psycopg.connect(postgres.url()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'reread%'"
        ).fetchone()
    return Sample(
        seconds=round(seconds, 1),
        memory=int(status["VmRSS"].split()[0]) * 1024,
        files=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        connections=row[0] if row else 0,
        temporary=sum(1 for one in temporary.rglob("*") if one.is_file()),
    )


def length_of(environment: dict[str, str]) -> Length:
    """Read the sizes; a seed is drawn where none is given."""
    return Length(
        readers=int(environment.get("READERS") or 50),
        minutes=float(environment.get("MINUTES") or 30),
        pause=float(environment.get("PAUSE") or 4),
        seed=int(environment.get("SEED") or secrets.randbelow(10**6)),
    )


if __name__ == "__main__":
    soaked = soak(length_of(dict(os.environ)), partial(print, flush=True))
    print(soaked)
    sys.exit(0 if soaked.clean else 1)
