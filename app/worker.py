"""The worker: takes jobs from the queue and scores images. The only part of app with a model."""

import hashlib
import io
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import procrastinate
import torch
from PIL import Image
from procrastinate.jobs import Job, Status

from app.actions.register_training import register_training_images
from app.db import cases, predictions
from app.db.jobs import FIRST_SCORING, SCORE_IMAGES, SCORING
from app.db.session import Connection, Database, Role
from app.domain.errors import Unavailable
from app.storage import Storage
from models.errors import PrecisionError
from models.precision import Precision
from models.predict import DEFAULT_FOLDER, ImagePrediction, Predictor

log = logging.getLogger("reread.worker")

RETRY_LOST = "retry_lost_jobs"
TRIES = 3  # then the job is failed and the coordinator sees it
WAITS = 60  # tries while the store or the database is away: about an hour, then the same
LONGEST_WAIT = 60  # seconds between two of them


class TryAgain(procrastinate.BaseRetryStrategy):
    """A job that fails is tried at once; one whose store is away waits, longer each time."""

    def get_retry_decision(
        self, *, exception: BaseException, job: Job
    ) -> procrastinate.RetryDecision | None:
        """Say when to try again; None when the job is given up."""
        if not isinstance(exception, Unavailable):
            again = job.attempts + 1 < TRIES
            return procrastinate.RetryDecision(retry_in={"seconds": 0}) if again else None
        if job.attempts + 1 >= WAITS:
            return None
        wait = min(LONGEST_WAIT, 5 * 2 ** min(job.attempts, 10))
        return procrastinate.RetryDecision(retry_in={"seconds": wait})


class Scorer:
    """Scores images with one model and stores each prediction exactly once."""

    def __init__(self, database: Database, storage: Storage, predictor: Predictor) -> None:
        """Register the predictor's model version."""
        self._database = database
        self._storage = storage
        self._predictor = predictor
        said = predictor.description
        with database.begin(Role.WORKER, actor=None) as connection:
            self.model_version = predictions.register_model(
                connection,
                name=said.name,
                backbone=said.backbone,
                weights_sha256=said.weights_sha256,
                preprocessing=said.preprocessing,
                threshold=said.threshold,
                map_scale=said.map_scale,
                map_grid=said.map_grid,
                demonstration=said.demonstration,
                card=said.card,
                performance=said.performance,
            )

    def score(
        self,
        *,
        model_version: UUID,
        images: list[UUID],
        progress: Callable[[int], None] = lambda _stored: None,
    ) -> int:
        """Score those of the images that have no prediction yet; returns how many were stored.

        `progress` is called with the number stored by each batch. An image that cannot be scored
        does not hold up the others; its error is raised when they are stored.
        Raises ValueError when the job asks for another model than this worker has loaded, and
        PrecisionError when the study was scored in another precision.
        """
        if model_version != self.model_version:
            raise ValueError(
                f"The job asks for model version {model_version}; this worker has loaded "
                f"{self._predictor.description.name} ({self.model_version}). Start a worker with "
                "that model (REREAD_MODEL)."
            )
        with self._database.begin(Role.WORKER, actor=None) as connection:
            waiting = cases.images_to_score(connection, images=images, model_version=model_version)
            all_cases = cases.cases_of_images(connection, images)
            for study in {image.study_id for image in waiting}:
                self._refuse_another_precision(connection, study)
        stored, failed = 0, list[BaseException]()

        def store(number: int, made: ImagePrediction) -> bool:
            return self._store(waiting[number], made.probability_bcc, made.overlay_png)

        openers = [partial(self._open, image) for image in waiting]
        for batch in self._predictor.predict_each(openers, store):
            failed += [error for one in batch if (error := one.exception()) is not None]
            new = sum(one.result() for one in batch if one.exception() is None)
            stored += new
            progress(new)
        with self._database.begin(Role.WORKER, actor=None) as connection:
            predictions.insert_case_predictions(
                connection, cases=all_cases, model_version=model_version
            )
        if failed:
            # The others are stored: the next try has only these to do.
            log.error("%d of %d images could not be scored", len(failed), len(waiting))
            away = [error for error in failed if isinstance(error, Unavailable)]
            raise (away or failed)[0]
        return stored

    def _open(self, image: cases.StoredImage) -> Image.Image:
        return Image.open(io.BytesIO(self._storage.get(image.storage_key)), formats=("JPEG",))

    def _store(self, image: cases.StoredImage, probability: float, overlay: bytes) -> bool:
        """Store one prediction; the overlay of a worker that came second goes again."""
        key = self._storage.put(overlay, suffix=".png")
        with self._database.begin(Role.WORKER, actor=None) as connection:
            self._refuse_another_precision(connection, image.study_id)
            first = predictions.insert_prediction(
                connection,
                study=image.study_id,
                image=image.id,
                model_version=self.model_version,
                probability=probability,
                overlay_key=key,
                overlay_sha256=hashlib.sha256(overlay).hexdigest(),
                device=self._predictor.computed_on,
            )
        if not first:
            self._storage.delete(key)
        return first

    def _refuse_another_precision(self, connection: Connection, study: UUID) -> None:
        """Raise PrecisionError where the study's scores of this model are of another precision."""
        ours = self._predictor.computed_on
        theirs = predictions.device_of_another_precision(
            connection, study=study, model_version=self.model_version, device=ours
        )
        if theirs is not None:
            raise PrecisionError(
                f"This study's images were scored with this model on {theirs!r}, and this worker "
                f"computes on {ours!r}: one study keeps one precision. Start the worker with "
                f"REREAD_PRECISION={'float32' if ours.endswith('bfloat16') else 'bfloat16'}."
            )


def build_worker(
    database: Database, scorer: Scorer, *, progress: Callable[[int], None]
) -> procrastinate.App:
    """Build the queue's worker; `progress` is called with the images stored by each batch."""
    queue = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=database.conninfo(Role.WORKER))
    )

    @queue.task(name=SCORE_IMAGES, queue=SCORING, retry=TryAgain())
    def score_images(study_id: str, model_version_id: str, image_ids: list[str]) -> None:
        stored = scorer.score(
            model_version=UUID(model_version_id),
            images=[UUID(image) for image in image_ids],
            progress=progress,
        )
        log.info("study %s: %d images scored", study_id, stored)

    # Before every other job: what a lost worker had taken is half done.
    @queue.periodic(cron="* * * * *")
    @queue.task(
        name=RETRY_LOST, queue=SCORING, queueing_lock=RETRY_LOST, priority=FIRST_SCORING + 1
    )
    async def retry_lost_jobs(timestamp: int) -> None:
        """Hand out again what a worker that died had taken; scoring twice stores once."""
        del timestamp
        for job in await queue.job_manager.get_stalled_jobs(queue=SCORING):
            if job.status == Status.DOING.value:
                await queue.job_manager.retry_job(job)

    # Registered with the queue by their decorators; named here for the type checker.
    _ = (score_images, retry_lost_jobs)
    return queue


def _device(gpu: int | None) -> str | None:
    if gpu is None:
        return None
    found = torch.cuda.device_count()
    if not 0 <= gpu < found:
        there = {0: "has none", 1: "has one, number 0"}.get(found, f"has numbers 0 to {found - 1}")
        raise Unavailable(
            f"There is no GPU {gpu} that PyTorch can use: this machine {there}. Without --gpu, "
            "reread worker takes the first there is, or else the processor."
        )
    return f"cuda:{gpu}"


def load_scorer(
    database: Database,
    storage: Storage,
    folder: Path | None,
    precision: Precision = "float32",
    gpu: int | None = None,
) -> Scorer:
    """Load and verify the model (the demonstration model where none is named), register it.

    Without `gpu` the first one is used where there is one, else the processor; Unavailable where
    the one that is named is not there.
    """
    folder = folder or DEFAULT_FOLDER
    predictor = Predictor.load(folder, device=_device(gpu), precision=precision)
    scorer = Scorer(database, storage, predictor)
    register_training_images(database, model_version=scorer.model_version, folder=folder)
    return scorer


def run_worker(
    database: Database, scorer: Scorer, *, until_idle: bool, progress: Callable[[int], None]
) -> None:
    """Take jobs until interrupted, or until none is left."""
    queue = build_worker(database, scorer, progress=progress)
    # One job at a time: the model is one, and it uses every core or the whole GPU.
    queue.run_worker(queues=[SCORING], wait=not until_idle, concurrency=1)
