"""F8: a worker killed in its batch. F10: a job that never works. D12: the same map again."""

import asyncio
import hashlib
import io
import signal
import subprocess
import sys
import time

import psycopg
import pytest
from PIL import Image

from app.actions.score_cases import request_scoring
from app.db import jobs
from app.db.session import Role
from app.db.studies import counts_of
from app.worker import TRIES, Scorer, build_worker, load_scorer, run_worker
from models.predict import DEFAULT_FOLDER, Predictor
from tests.conftest import Cast
from tests.web.site import Site

# A worker that dies in the middle of storing its images, at the point that is named.
KILLED = """
import os, signal, sys
from pathlib import Path
from app import storage
from app.db import predictions
from app.db.session import Database
from app.worker import load_scorer, run_worker

url, root, point = sys.argv[1:]
database = Database(url, secret=None)
scorer = load_scorer(database, storage.Storage(root), None)

def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

if point == "before the file has its name":
    Path.replace = die
elif point == "between file and row":
    predictions.insert_prediction = die
run_worker(database, scorer, until_idle=True, progress=die)
"""


@pytest.fixture
def scorer(draft: Cast) -> Scorer:
    return load_scorer(draft.database, draft.storage, None)


def ask(draft: Cast, scorer: Scorer) -> None:
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        request_scoring(connection, study=draft.reload(), model_version=scorer.model_version)


def rows(draft: Cast) -> list[tuple[str, str, str]]:
    with draft.begin(Role.WORKER, None) as connection:
        return connection.execute(
            """SELECT image_id::text, overlay_key, overlay_sha256 FROM prediction ORDER BY 1"""
        ).fetchall()


@pytest.mark.parametrize(
    "point", ["before the file has its name", "between file and row", "after a batch"]
)
def test_f8_a_worker_killed_in_its_batch_leaves_one_row_and_its_map_an_image(
    draft: Cast, scorer: Scorer, point: str
) -> None:
    ask(draft, scorer)
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", KILLED, draft.database.url, draft.storage.url, point],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    before = rows(draft)
    assert len(before) == (6 if point == "after a batch" else 0)
    hand_out_again(draft, scorer)
    run_worker(draft.database, scorer, until_idle=True, progress=lambda _stored: None)
    after = rows(draft)
    assert len(after) == len({image for image, _key, _digest in after}) == 6
    assert set(before) <= set(after), "what the killed worker had stored stays"
    for _image, key, digest in after:
        assert hashlib.sha256(draft.storage.get(key)).hexdigest() == digest
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        assert jobs.job_counts(connection, draft.study.id) == jobs.JobCounts(0, 0)
        assert counts_of(connection, draft.study.id).scored_cases == 6


def hand_out_again(draft: Cast, scorer: Scorer) -> None:
    """What the worker's minute does once the killed one's heartbeat is old."""
    with psycopg.connect(draft.database.url) as owner:
        owner.execute(
            "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
        )
        doing = owner.execute(
            "SELECT count(*) FROM jobs.procrastinate_jobs WHERE status = 'doing'"
        ).fetchone()
    assert doing == (1,), "the job is still the dead worker's"
    queue = build_worker(draft.database, scorer, progress=lambda _stored: None)

    async def retry() -> None:
        async with queue.open_async():
            await queue.tasks["retry_lost_jobs"](timestamp=int(time.time()))

    asyncio.run(retry())


def test_f10_a_job_that_never_works_is_given_up_and_the_coordinator_is_told(
    draft: Cast, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def poison(**_arguments: object) -> int:
        tried.append(1)
        raise RuntimeError("a job that never works")

    monkeypatch.setattr(scorer, "score", poison)
    ask(draft, scorer)
    run_worker(draft.database, scorer, until_idle=True, progress=lambda _stored: None)
    assert len(tried) == TRIES
    run_worker(draft.database, scorer, until_idle=True, progress=lambda _stored: None)
    assert len(tried) == TRIES, "it is not tried for ever"
    page = Site(draft).browser(draft.cora).get("/studies/bcc-sk").text
    assert "1 scoring job failed: images of it could not be scored" in page


def test_d12_what_was_shown_is_made_again_from_the_database_and_the_files(
    draft: Cast, scorer: Scorer
) -> None:
    """Weights by their hash, image and map by their rows: the same probability, the same bytes."""
    ask(draft, scorer)
    run_worker(draft.database, scorer, until_idle=True, progress=lambda _stored: None)
    with psycopg.connect(draft.database.url, options="-c search_path=reread") as owner:
        shown = owner.execute(
            """SELECT i.storage_key, p.probability, p.overlay_key, p.overlay_sha256,
                   m.weights_sha256, m.preprocessing, m.map_scale, m.threshold
               FROM prediction p JOIN image i ON i.id = p.image_id
               JOIN model_version m ON m.id = p.model_version_id"""
        ).fetchall()
    assert len(shown) == 6
    again = Predictor.load(DEFAULT_FOLDER)
    said = again.description
    for image, probability, overlay, digest, weights, preprocessing, scale, threshold in shown:
        assert (weights, preprocessing) == (said.weights_sha256, said.preprocessing)
        assert (scale, threshold) == (said.map_scale, said.threshold)
        picture = Image.open(io.BytesIO(draft.storage.get(image)), formats=("JPEG",))
        made = again.predict([picture])[0]
        assert made.probability_bcc == pytest.approx(probability, abs=1e-6)
        assert hashlib.sha256(made.overlay_png).hexdigest() == digest
        assert draft.storage.get(overlay) == made.overlay_png
