"""The queue (procrastinate, in the schema `jobs`): jobs are written in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import procrastinate

from app.db.session import Connection, fetch_one

SCORING = "scoring"
SCORE_IMAGES = "score_images"

# Jobs of a higher priority are taken first: a study that has no predictions yet waits to be opened;
# one that is scored again with another model can be read about meanwhile.
FIRST_SCORING, RESCORING = 10, 0

# Only writes jobs, always on the caller's connection; workers open their own.
_writer = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


@dataclass(frozen=True)
class JobCounts:
    """Jobs of a study's scoring."""

    unfinished: int
    failed: int


def defer_scoring(
    connection: Connection,
    *,
    study: UUID,
    model_version: UUID,
    images: Sequence[UUID],
    priority: int,
) -> None:
    """Ask the workers to score these images; they see it when the transaction commits."""
    _writer.configure_task(
        SCORE_IMAGES,
        allow_unknown=True,
        queue=SCORING,
        priority=priority,
        connection=connection,
    ).defer(
        study_id=str(study),
        model_version_id=str(model_version),
        image_ids=[str(image) for image in images],
    )


def job_counts(connection: Connection, study: UUID) -> JobCounts:
    """Count a study's scoring jobs that wait or run, and those that failed for good."""
    found = fetch_one(
        connection,
        JobCounts,
        """SELECT count(*) FILTER (WHERE status IN ('todo', 'doing')) AS unfinished,
                  count(*) FILTER (WHERE status = 'failed') AS failed
           FROM jobs.procrastinate_jobs
           WHERE task_name = 'score_images' AND args ->> 'study_id' = %s""",
        [str(study)],
    )
    return found or JobCounts(0, 0)
