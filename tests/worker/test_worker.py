"""The worker: each image and case scored exactly once, whoever dies or races."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app.actions.design_study import NotReady, open_study
from app.actions.score_cases import request_scoring
from app.db import jobs
from app.db import predictions as predictions_of
from app.db.session import Role
from app.db.studies import choose_model, counts_of
from app.worker import Scorer, load_scorer, run_worker
from models import predict
from models.errors import PrecisionError
from tests.conftest import Cast


@pytest.fixture
def scorer(draft: Cast) -> Scorer:
    return load_scorer(draft.database, draft.storage, None)


def ask(draft: Cast, scorer: Scorer) -> int:
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        return request_scoring(connection, study=draft.reload(), model_version=scorer.model_version)


def image_ids(draft: Cast) -> list[UUID]:
    with draft.begin(Role.WORKER, None) as connection:
        found = connection.execute("SELECT id FROM image WHERE study_id = %s", [draft.study.id])
        return [row[0] for row in found]


def predictions(draft: Cast) -> list[tuple[object, ...]]:
    with draft.begin(Role.WORKER, None) as connection:
        return connection.execute(
            """SELECT image_id, probability, overlay_key, overlay_sha256, device
               FROM prediction ORDER BY image_id"""
        ).fetchall()


def test_every_image_and_case_is_scored_once_and_each_overlay_is_the_one_recorded(
    draft: Cast, scorer: Scorer
) -> None:
    assert ask(draft, scorer) == 6
    stored: list[int] = []
    run_worker(draft.database, scorer, until_idle=True, progress=stored.append)
    assert sum(stored) == 6
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        counts = counts_of(connection, draft.study.id)
        assert jobs.job_counts(connection, draft.study.id) == jobs.JobCounts(0, 0)
    assert (counts.scored_images, counts.scored_cases) == (6, 6)
    for _image, probability, key, digest, device in predictions(draft):
        assert 0 <= probability <= 1
        assert hashlib.sha256(draft.storage.get(str(key))).hexdigest() == digest
        assert device == "cpu"
    assert ask(draft, scorer) == 0


def test_f9_a_second_worker_on_the_same_images_changes_nothing(draft: Cast, scorer: Scorer) -> None:
    images = image_ids(draft)
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(scorer.score, model_version=scorer.model_version, images=images)
            for _ in range(2)
        ]
        stored = [run.result() for run in runs]
    first = predictions(draft)
    assert sum(stored) == len(first) == 6
    assert scorer.score(model_version=scorer.model_version, images=images) == 0
    assert predictions(draft) == first
    # The overlays of the worker that came second are gone again.
    kept = {str(row[2]) for row in first}
    assert len(kept) == 6


def test_the_score_of_a_case_is_the_mean_of_its_images(draft: Cast, scorer: Scorer) -> None:
    scorer.score(model_version=scorer.model_version, images=image_ids(draft))
    with psycopg.connect(draft.database.url, options="-c search_path=reread") as owner:
        found = owner.execute(
            """SELECT c.probability, avg(p.probability), c.call, m.threshold
               FROM case_prediction c JOIN image i ON i.case_id = c.case_id
               JOIN prediction p ON p.image_id = i.id
               JOIN model_version m ON m.id = c.model_version_id
               GROUP BY c.id, m.threshold"""
        ).fetchall()
    assert len(found) == 6
    for stored, mean, call, threshold in found:
        assert stored == pytest.approx(mean, abs=1e-12)
        assert call == ("BCC" if mean >= threshold else "SK")


def test_f13_an_image_that_is_gone_fails_its_job_and_the_coordinator_sees_it(
    draft: Cast, scorer: Scorer, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(draft.database.url, options="-c search_path=reread") as owner:
        key = owner.execute("SELECT storage_key FROM image LIMIT 1").fetchone()
    assert key is not None
    kept = draft.storage.get(key[0])
    draft.storage.delete(key[0])
    try:
        ask(draft, scorer)
        run_worker(draft.database, scorer, until_idle=True, progress=lambda _stored: None)
    finally:
        restore(draft, key[0], kept)
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        assert jobs.job_counts(connection, draft.study.id).failed == 1
        counts = counts_of(connection, draft.study.id)
    # The images beside it in the job are scored all the same.
    assert (counts.scored_images, counts.scored_cases) == (5, 5)
    assert "score_images" in caplog.text
    # The last try had only that one to do.
    assert "1 of 1 images could not be scored" in caplog.text


def test_a_job_that_broke_off_is_taken_up_where_it_stopped(
    draft: Cast, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = image_ids(draft)
    monkeypatch.setattr(predict, "BATCH_SIZE", 2)
    stored: list[int] = []

    def power_cut(number: int) -> None:
        stored.append(number)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scorer.score(model_version=scorer.model_version, images=images, progress=power_cut)
    assert stored == [2]
    first = predictions(draft)
    assert len(first) >= 2
    again = scorer.score(model_version=scorer.model_version, images=images)
    assert again == 6 - len(first)
    after = predictions(draft)
    assert len(after) == 6
    assert set(first) <= set(after)


def restore(draft: Cast, key: str, data: bytes) -> None:
    """Put the file back: the folder is shared by all tests."""
    path = f"{draft.storage._root}/{key}"
    with open(path, "wb") as out:  # noqa: PTH123
        out.write(data)


def test_a_job_for_another_model_is_refused_by_name(draft: Cast, scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="this worker has loaded"):
        scorer.score(model_version=UUID(int=1), images=image_ids(draft))
    assert predictions(draft) == []


def test_a_study_keeps_the_precision_it_was_first_scored_in(
    draft: Cast, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = image_ids(draft)
    scorer.score(model_version=scorer.model_version, images=images[:2])
    scored = predictions(draft)
    monkeypatch.setattr(predict.Predictor, "computed_on", "cpu bfloat16")
    with pytest.raises(PrecisionError, match=r"one study keeps one.*REREAD_PRECISION=float32"):
        scorer.score(model_version=scorer.model_version, images=images)
    # Also where both workers began before either had stored anything.
    monkeypatch.setattr(predictions_of, "device_of_another_precision", first_time_none())
    with pytest.raises(PrecisionError, match="one study keeps one"):
        scorer.score(model_version=scorer.model_version, images=images)
    assert predictions(draft) == scored
    monkeypatch.undo()
    assert scorer.score(model_version=scorer.model_version, images=images) == 4


def first_time_none() -> Callable[..., str | None]:
    """What a worker would be told that asked before the other one stored its first prediction."""
    asked: list[None] = []
    real = predictions_of.device_of_another_precision

    def answer(*arguments: Any, **named: Any) -> str | None:  # noqa: ANN401 passed through
        asked.append(None)
        return None if len(asked) == 1 else real(*arguments, **named)

    return answer


def test_b10_a_study_cannot_open_while_one_image_is_unscored(draft: Cast, scorer: Scorer) -> None:
    images = image_ids(draft)
    scorer.score(model_version=scorer.model_version, images=images[:-1])
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        choose_model(connection, draft.study.id, scorer.model_version)
    with (
        pytest.raises(NotReady, match="1 of 6 images have no prediction"),
        draft.begin(Role.COORDINATOR, draft.cora) as connection,
    ):
        open_study(connection, study=draft.reload(), by=draft.cora)
    assert draft.reload().state == "draft"
