"""What reading over HTTP costs: simulated readers against `reread serve`, beside bare psycopg.

Builds an open study in a Postgres of its own with its usual care for the disk, and starts `reread
serve` as people do. Simulated readers (a process of their own) read it over real HTTP: `closed`,
each going from step to step without a pause, which is as much as the machine can do; and `open`,
cases arriving at half of that rate, whatever is answered when. In the same run the same
transactions are issued by bare psycopg (bare.py).

A core's rate is locked calls per second of processor time, of web applications and Postgres (or of
bare psycopg and Postgres) together, the load generator left out: other work on the machine
disturbs it little. Run: `make bench-load`. The last line is JSON; "holds" says whether all that is
asked is reached.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median
from subprocess import PIPE, Popen

import numpy as np

from app.settings import Settings
from bench.load.bare import BareReader, Transaction, record, replay
from bench.load.processor import mebibytes_of, seconds_of, seconds_of_family
from bench.load.site import STUDY, Site, site
from tests.torture.programs import SECRET, Web

STEPS = ("case page", "unaided lock", "reveal", "page with AI", "aided lock", "next", "picture")
READERS = (10, 50, 100, 500)
BARE = 8  # connections' worth of bare psycopg
ASKED = 0.30  # of the bare rate per core
FLAT = 2.0  # p99 of the most readers against that of the fewest, at the same rate of cases
KEPT = 0.8  # of what the fewest readers get done without a pause, by the most
SHARE = 0.5  # of what the machine can do, for cases that arrive at a rate


@dataclass
class Run:
    """One measurement: so many readers, one way of arriving."""

    readers: int
    calls: int
    cases: int
    seconds: float
    web: float  # processor seconds
    postgres: float
    generator: float
    faults: dict[str, int] = field(default_factory=dict[str, int])
    steps: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    exhausted: int = 0

    @property
    def rate(self) -> float:
        """Locked calls a second by the clock."""
        return self.calls / self.seconds

    @property
    def per_core(self) -> float:
        """Locked calls per second of processor time of web and Postgres."""
        return self.calls / (self.web + self.postgres)

    def quantile(self, percent: float, steps: Sequence[str] = STEPS) -> float:
        """Milliseconds of an answer."""
        seconds = [one for step in steps for one in self.steps.get(step, [])]
        return 1000 * float(np.percentile(seconds, percent)) if seconds else float("nan")


def over_http(
    there: Site, webs: Sequence[Web], readers: list[BareReader], *, seconds: float, rate: float = 0
) -> Run:
    """Let these readers read; `rate` is of cases a second, 0 for as many as can be."""
    addresses = cycle(web.address for web in webs)
    orders = {
        "study": STUDY,
        "readers": [(next(addresses), reader.token) for reader in readers],
        "seconds": seconds,
        "rate": rate,
        "seed": 1,
    }
    pids = [web.process.pid for web in webs if web.process]
    server = there.postgres.process
    assert server is not None  # noqa: S101 - it was started
    before = sum(map(seconds_of, pids)), seconds_of_family(server.pid)
    generator = Popen([sys.executable, "-m", "bench.load.readers"], stdin=PIPE, stdout=PIPE)
    found = json.loads(generator.communicate(json.dumps(orders).encode())[0])
    return Run(
        readers=len(readers),
        calls=found["calls"],
        cases=found["cases"],
        seconds=found["seconds"],
        web=sum(map(seconds_of, pids)) - before[0],
        postgres=seconds_of_family(server.pid) - before[1],
        generator=found["processor_seconds"],
        faults=found["faults"],
        steps=found["steps"],
        exhausted=found["exhausted"],
    )


def bare(
    there: Site,
    transactions: list[Transaction],
    readers: list[BareReader],
    *,
    first: int,
    seconds: float,
) -> Run:
    """Issue the same transactions without the web."""
    server = there.postgres.process
    assert server is not None  # noqa: S101 - it was started
    before = seconds_of_family(server.pid)
    done = replay(there.database, transactions, readers, first=first, seconds=seconds)
    return Run(
        readers=len(readers),
        calls=done.calls,
        cases=done.cases,
        seconds=done.seconds,
        web=done.processor_seconds,
        postgres=seconds_of_family(server.pid) - before,
        generator=0.0,
    )


@dataclass
class Repeat:
    """One round: bare psycopg, then every number of readers in both ways."""

    bare: Run
    closed: list[Run] = field(default_factory=list[Run])
    open: list[Run] = field(default_factory=list[Run])
    mebibytes: float = 0.0  # of the largest web process, after the last


def one_round(
    there: Site,
    transactions: list[Transaction],
    asked: argparse.Namespace,
    number: int,
) -> Repeat:
    """Measure everything once, side by side in time."""
    people = there.readers[: max(READERS)]
    spare = there.readers[max(READERS) + 1 + number * BARE :][:BARE]
    with there.webs(asked.webs) as webs:
        over_http(there, webs, people[:20], seconds=2)  # pools and templates are there
        done = Repeat(bare(there, transactions, spare, first=0, seconds=asked.seconds))
        for count in READERS:
            first = (number * 100) % (max(READERS) - count or 1)
            chosen = people[first : first + count]
            done.closed.append(over_http(there, webs, chosen, seconds=asked.seconds))
        rate = SHARE * min(run.cases / run.seconds for run in done.closed)
        for count in READERS:
            first = (number * 100 + 50) % (max(READERS) - count or 1)
            chosen = people[first : first + count]
            done.open.append(over_http(there, webs, chosen, seconds=asked.seconds, rate=rate))
        done.mebibytes = max(mebibytes_of(web.process.pid) for web in webs if web.process)
    for name, run in (("closed", done.closed), ("open", done.open)):
        for one in run:
            print(line(name, one, done.bare), flush=True)
    return done


HEAD = (
    f"{'':6} {'readers':>7} {'calls/s':>8} {'of bare':>8} {'per core':>8} {'of bare':>8} "
    f"{'p50 ms':>8} {'p99 ms':>8} {'generator':>9}  not answered as asked"
)


def line(name: str, run: Run, beside: Run) -> str:
    """One line of the table."""
    share = run.generator / (run.generator + run.web + run.postgres)
    faults = ", ".join(f"{what}: {times}" for what, times in run.faults.items()) or "-"
    return (
        f"{name:6} {run.readers:7} {run.rate:8.1f} {run.rate / beside.rate:8.2f} "
        f"{run.per_core:8.1f} {run.per_core / beside.per_core:8.2f} "
        f"{run.quantile(50):8.0f} {run.quantile(99):8.0f} {share:9.0%}  {faults}"
    )


def of_steps(name: str, runs: list[Run]) -> str:
    """p50 and p99 of each step, over the rounds together."""
    cells: list[str] = []
    for step in STEPS:
        seconds = [one for run in runs for one in run.steps.get(step, [])]
        if seconds:
            low, high = np.percentile(seconds, [50, 99]) * 1000
            cells.append(f"{step} {low:.0f}/{high:.0f}")
    return f"{name:6} {runs[0].readers:4} readers: " + ", ".join(cells)


def summary(rounds: list[Repeat], webs: int) -> dict[str, object]:
    """Medians over the rounds, and whether all that is asked is reached."""

    def over(values: list[float]) -> float:
        return round(median(values), 3)

    per_core = {
        str(count): over([r.closed[n].per_core / r.bare.per_core for r in rounds])
        for n, count in enumerate(READERS)
    }
    flat = over([r.open[-1].quantile(99) / r.open[0].quantile(99) for r in rounds])
    kept = over([r.closed[-1].rate / r.closed[0].rate for r in rounds])
    faults = sum(sum(run.faults.values()) for r in rounds for run in (*r.closed, *r.open))
    return {
        "web_processes": webs,
        "ratio_per_core_to_bare": per_core,
        "ratio_by_the_clock_to_bare": {
            str(count): over([r.closed[n].rate / r.bare.rate for r in rounds])
            for n, count in enumerate(READERS)
        },
        "p99_open_most_to_fewest_readers": flat,
        "rate_closed_most_to_fewest_readers": kept,
        "mebibytes_per_web_process": over([r.mebibytes for r in rounds]),
        "generator_share_of_processor_time": over(
            [
                run.generator / (run.generator + run.web + run.postgres)
                for r in rounds
                for run in r.closed
            ]
        ),
        "answers_not_as_asked": faults,
        "holds": min(per_core.values()) >= ASKED and flat <= FLAT and kept >= KEPT,
    }


def main() -> None:
    """Build, measure in rounds, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.load")
    parser.add_argument("--webs", type=int, default=1, help="web processes (1)")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement (8)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=60, help="of the study (60)")
    asked = parser.parse_args()
    people = max(READERS) + 1 + BARE * asked.rounds
    with site(readers=people, cases=asked.cases) as there:
        settings = Settings.from_environment({"REREAD_STORAGE": there.env["REREAD_STORAGE"]})
        transactions = record(
            there.postgres.url(),
            secret=SECRET,
            settings=settings,
            study=STUDY,
            reader=there.readers[max(READERS)],
        )
        statements = sum(len(one.statements) for one in transactions)
        print(
            f"five cases are {len(transactions)} transactions of {statements} statements, "
            f"{sum(one.writes for one in transactions)} of them writing"
        )
        print(HEAD)
        rounds = [one_round(there, transactions, asked, number) for number in range(asked.rounds)]
    for name in ("closed", "open"):
        for number in range(len(READERS)):
            print(of_steps(name, [getattr(r, name)[number] for r in rounds]))
    rates = [r.bare.per_core for r in rounds]
    print(f"bare psycopg: {median(rates):.1f} locked calls per second of processor time")
    print(json.dumps(summary(rounds, asked.webs)))


if __name__ == "__main__":
    main()
