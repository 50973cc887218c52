"""Several workers: what goes first, what a lost one had taken, and on which GPU."""

import hashlib

import psycopg
import pytest

from app.actions import score_cases
from app.actions.design_study import create_study, find_study
from app.actions.score_cases import request_scoring
from app.db import jobs
from app.db.session import Role
from app.domain.errors import Unavailable
from app.worker import Scorer, load_scorer, run_worker
from tests.conftest import Cast, case_files, import_files, score_by_hand
from tests.torture.lost_jobs import ask_for_lost_jobs
from tests.worker.test_worker import ask, predictions


@pytest.fixture
def scorer(draft: Cast) -> Scorer:
    return load_scorer(draft.database, draft.storage, None)


def run(draft: Cast, scorer: Scorer) -> None:
    run_worker(draft.database, scorer, until_idle=True, progress=lambda _stored: None)


def a_second_study(draft: Cast, scorer: Scorer) -> None:
    """Cora's "next", of two cases, asked to be scored."""
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        create_study(connection, code="next", title="The next one", by=draft.cora)
        study = find_study(connection, code="next")
    import_files(draft.database, draft.storage, study, case_files(2), by=draft.cora)
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        request_scoring(connection, study=study, model_version=scorer.model_version)


def test_a_study_that_waits_to_be_opened_is_scored_before_one_that_is_scored_again(
    draft: Cast, scorer: Scorer
) -> None:
    """Though the other had asked first."""
    score_by_hand(draft.database, draft.storage, draft.study)
    assert ask(draft, scorer) == 6
    a_second_study(draft, scorer)
    run(draft, scorer)
    with draft.begin(Role.WORKER, None) as connection:
        order = connection.execute(
            """SELECT s.code, count(*) FROM prediction p JOIN study s ON s.id = p.study_id
               WHERE p.model_version_id = %s GROUP BY s.code ORDER BY max(p.predicted_at)""",
            [scorer.model_version],
        ).fetchall()
    assert order == [("next", 2), ("bcc-sk", 6)]


def test_f8_what_a_lost_worker_had_taken_is_handed_out_again_and_scored_once(
    draft: Cast, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had scored one batch of three, was in the middle of another, and gave no sign since."""
    monkeypatch.setattr(score_cases, "BATCH", 2)
    ask(draft, scorer)
    with psycopg.connect(draft.database.url, options="-c search_path=jobs,reread") as owner:
        owner.execute(
            """WITH lost AS (INSERT INTO procrastinate_workers (last_heartbeat)
                             VALUES (now() - interval '1 minute') RETURNING id)
               UPDATE procrastinate_jobs SET status = 'doing', worker_id = lost.id FROM lost
               WHERE procrastinate_jobs.id = (SELECT min(id) FROM procrastinate_jobs)"""
        )
        taken = owner.execute(
            "SELECT args -> 'image_ids' ->> 0 FROM procrastinate_jobs WHERE status = 'doing'"
        ).fetchone()
    assert taken is not None
    scorer.score(model_version=scorer.model_version, images=[taken[0]])
    before = predictions(draft)
    ask_for_lost_jobs(draft.database)
    run(draft, scorer)
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        assert jobs.job_counts(connection, draft.study.id) == jobs.JobCounts(0, 0)
    rows = predictions(draft)
    assert len(rows) == 6
    assert set(before) <= set(rows)
    for _image, _probability, key, digest, _device in rows:
        assert hashlib.sha256(draft.storage.get(str(key))).hexdigest() == digest


def test_f12_a_gpu_that_is_not_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, draft: Cast
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for number in (2, -1):
        with pytest.raises(Unavailable, match=f"no GPU {number} .* has numbers 0 to 1"):
            load_scorer(draft.database, draft.storage, None, gpu=number)
