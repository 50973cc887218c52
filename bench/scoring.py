"""How fast images are scored: workers as processes, beside plain encoding in the same run.

Builds a draft of generated pictures in a Postgres of its own, and lets `reread worker` score it:
one worker, then two, with the shipped model or the one named. The time is from the first stored
prediction to the last; processor time is that of the workers meanwhile, their start left out. The
baseline is the same model's image encoder on prepared pictures, in batches, in a process of its
own: no file is read, no map made, nothing stored.

Run: `make bench-scoring`, or `.venv/bin/python -m bench.scoring [--images 400] [--model FOLDER]
[--gpu N]`. The last line is JSON; "holds" says whether two workers scored everything exactly once.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from app.db.migrate import migrate
from app.db.session import Database
from app.storage import Storage
from bench.load.processor import seconds_of
from tests.torture import programs, study
from tests.torture.postgres import OwnPostgres

PATIENCE = 3600.0  # seconds for all images

# The process of the baseline: so that torch's threads are its own, as a worker's are.
PLAIN = """
import json, sys, time
from pathlib import Path
import torch
from models.predict import BATCH_SIZE, DEFAULT_FOLDER, Predictor

folder, device, images = sys.argv[1:]
torch.set_num_threads(1)  # several wait for each other on busy cores, and waiting is counted
predictor = Predictor.load(Path(folder or DEFAULT_FOLDER), device=device or None)
backbone = predictor.backbone
size = backbone.preprocessing.image_size
batch = torch.randn(BATCH_SIZE, 3, size, size, device=predictor.device)  # (B, 3, S, S)
with torch.inference_mode():
    backbone.model.visual(batch)
    start, processor, done = time.perf_counter(), time.process_time(), 0
    while done < int(images):
        backbone.model.visual(batch)
        done += BATCH_SIZE
    if predictor.device != "cpu":
        torch.cuda.synchronize()
print(json.dumps([done, time.perf_counter() - start, time.process_time() - processor]))
"""


@dataclass
class Rate:
    """Images in seconds by the clock and of processor time."""

    images: int
    seconds: float
    processor_seconds: float

    @property
    def by_clock(self) -> float:
        """Images a second."""
        return self.images / self.seconds

    @property
    def per_core(self) -> float:
        """Images per second of processor time."""
        return self.images / self.processor_seconds


def plain_encoding(model: str, device: str, images: int) -> Rate:
    """Encode so many pictures and nothing else."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PLAIN, model, device, str(images)],
        check=True,
        capture_output=True,
        text=True,
    )
    return Rate(*json.loads(done.stdout))


def scoring(
    there: "Draft", workers: list[programs.Program], images: int, say: Callable[[str], None]
) -> Rate:
    """Let so many workers score the draft; they are started and loaded before the time begins."""
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.wait_until_ready()
    study.ask_for_scores(there.database, there.prepared)
    ends = time.monotonic() + PATIENCE
    _wait(lambda: there.scored() > 0, workers, ends)
    pids = [worker.process.pid for worker in workers if worker.process]
    first, start, before = there.scored(), time.perf_counter(), sum(map(seconds_of, pids))
    _wait(lambda: there.scored() == images, workers, ends)
    found = Rate(images - first, time.perf_counter() - start, sum(map(seconds_of, pids)) - before)
    for worker in workers:
        worker.kill()
    say(f"{len(workers)} worker(s): {found.by_clock:.1f} images/s")
    return found


def _wait(seen: Callable[[], bool], workers: list[programs.Program], ends: float) -> None:
    while not seen():
        if time.monotonic() > ends or not all(worker.runs for worker in workers):
            raise RuntimeError(f"the workers stopped scoring:\n{workers[0].said()[-2000:]}")
        time.sleep(0.1)


@dataclass(frozen=True)
class Draft:
    """The study whose images wait to be scored."""

    database: Database
    prepared: study.Prepared

    def scored(self) -> int:
        """How many images have their prediction."""
        return study.scored_images(self.database, self.prepared)

    def once(self) -> bool:
        """Say whether no image and no case was scored twice, and no job is left."""
        query: LiteralString = """
            SELECT (SELECT count(*) = count(DISTINCT image_id) FROM prediction
                    WHERE study_id = %(s)s)
               AND (SELECT count(*) = count(DISTINCT case_id) FROM case_prediction
                    WHERE study_id = %(s)s)
               AND NOT EXISTS (SELECT FROM jobs.procrastinate_jobs
                               WHERE task_name = 'score_images' AND status <> 'succeeded')"""
        with psycopg.connect(self.database.url, options="-c search_path=reread") as owner:
            row = owner.execute(query, {"s": self.prepared.scored.id}).fetchone()
        return bool(row and row[0])


def one_run(asked: argparse.Namespace, count: int, say: Callable[[str], None]) -> tuple[Rate, bool]:
    """Build a draft, and let `count` workers score it."""
    folder = Path(tempfile.mkdtemp(prefix="reread-scoring-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = stack.enter_context(OwnPostgres(folder))
        migrate(postgres.url(), secret=programs.SECRET)
        database = Database(postgres.url(), secret=programs.SECRET)
        stack.callback(database.close)
        prepared = study.prepare(
            database,
            Storage(folder / "files"),
            readers=1,
            cases=1,
            images=asked.images,
            progress=say,
        )
        env = programs.environment(postgres.url(), folder)
        env |= {"REREAD_STORAGE": str(folder / "files")}
        if asked.model:
            env["REREAD_MODEL"] = asked.model
        workers = [programs.worker(log=folder / f"worker{n}.log", env=env) for n in range(count)]
        for worker in workers:
            stack.callback(worker.kill)
            if asked.gpu is not None:
                worker.arguments = ["worker", "--gpu", str(asked.gpu)]
        there = Draft(database, prepared)
        return scoring(there, workers, asked.images, say), there.once()


def main() -> None:
    """Measure one worker, two workers and plain encoding."""
    parser = argparse.ArgumentParser(prog="python -m bench.scoring")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--model", default="", help="a model folder (the shipped model)")
    parser.add_argument("--gpu", type=int, metavar="N", help="on this GPU (the processor)")
    asked = parser.parse_args()

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    device = "cpu" if asked.gpu is None else f"cuda:{asked.gpu}"
    plain = plain_encoding(asked.model, device, asked.images)
    found = {count: one_run(asked, count, say) for count in (1, 2)}
    print(f"{'':16} {'images/s':>9} {'per core':>9} {'of plain':>9} {'core h / 100,000':>17}")
    rows = {"plain encoding": plain} | {f"{n} worker(s)": rate for n, (rate, _) in found.items()}
    for name, rate in rows.items():
        hours = 100_000 / rate.per_core / 3600
        share = rate.per_core / plain.per_core
        print(f"{name:16} {rate.by_clock:9.1f} {rate.per_core:9.1f} {share:9.2f} {hours:17.2f}")
    print(
        json.dumps(
            {
                "device": device,
                "images": asked.images,
                "images_per_second": {n: round(rate.by_clock, 2) for n, (rate, _) in found.items()},
                "share_of_plain_encoding_per_core": {
                    n: round(rate.per_core / plain.per_core, 3) for n, (rate, _) in found.items()
                },
                "core_hours_per_100000": {
                    n: round(100_000 / rate.per_core / 3600, 2) for n, (rate, _) in found.items()
                },
                "two_workers_to_one": round(found[2][0].by_clock / found[1][0].by_clock, 2),
                "holds": all(once for _, once in found.values()),
            }
        )
    )


if __name__ == "__main__":
    main()
