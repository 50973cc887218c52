"""Ask the workers for a study's predictions; they are made in app/worker.py."""

from uuid import UUID

from app.db import cases, jobs, studies
from app.db.session import Connection
from app.domain.errors import Conflict
from app.domain.sentences import said
from app.domain.study_states import state_in_words

# Images a job: several batches of the model, so that files and model work side by side. A lost
# worker loses only what it had not stored yet, a few batches.
BATCH = 128


def request_scoring(connection: Connection, *, study: studies.Study, model_version: UUID) -> int:
    """Choose a draft's model version and queue every image it has not scored; returns how many.

    In an open study those of cases that wait to be added, by its own model. The jobs are written
    in the caller's transaction. Asking twice is harmless: an image has exactly one prediction of a
    model version.
    """
    if study.state not in {"draft", "open"} or (
        study.state == "open" and study.model_version_id != model_version
    ):
        raise Conflict(
            said(
                'The study "{code}" is {state}: its model and predictions are frozen.',
                code=study.code,
                state=state_in_words(study.state),
            )
        )
    if study.model_version_id != model_version:
        studies.choose_model(connection, study.id, model_version)
    scored_before = cases.has_predictions(connection, study=study.id)
    priority = jobs.RESCORING if scored_before else jobs.FIRST_SCORING
    waiting = cases.unscored_images(connection, study=study.id, model_version=model_version)
    for start in range(0, len(waiting), BATCH):
        jobs.defer_scoring(
            connection,
            study=study.id,
            model_version=model_version,
            images=waiting[start : start + BATCH],
            priority=priority,
        )
    return len(waiting)
