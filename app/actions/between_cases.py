"""What a reader is told between two cases: of the case before, of the sitting, of the washout."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.actions.read_case import sitting_is_over
from app.db import readings
from app.db.session import Connection
from app.domain.reading import LockedCall, Phase


@dataclass(frozen=True)
class Feedback:
    """A training case after its last lock, with the reference standard."""

    assignment_id: UUID
    images: list[readings.CaseImage]
    truth: readings.TrainingTruth
    call: LockedCall
    ai: list[readings.ShownOverlay]


@dataclass(frozen=True)
class Between:
    """What there is to say before the next case is asked for."""

    withheld: bool  # of the case before: no AI result was shown
    feedback: Feedback | None
    sitting_over: bool
    waits_until: datetime | None  # the washout's end
    training_over: bool  # the counted cases begin


def between_cases(connection: Connection, *, study: readings.ReaderStudy) -> Between:
    """Return what the actor is told before their next case, or after their last one."""
    before = readings.last_finished(connection, study.id)
    following = readings.current_assignment(connection, study.id)
    was_training = before is not None and before.purpose == "training"
    return Between(
        withheld=before is not None and before.withheld,
        feedback=_feedback(connection, before) if before and was_training else None,
        sitting_over=sitting_is_over(study),
        waits_until=readings.waits_until(connection, following.id) if following else None,
        training_over=was_training and following is not None and following.purpose == "counted",
    )


def _feedback(connection: Connection, case: readings.Assignment) -> Feedback | None:
    last = Phase.UNAIDED if case.withheld else Phase.AIDED
    truth = readings.training_truth(connection, case.id)
    call = readings.locked_call(connection, case.id, last)
    if truth is None or call is None:
        return None
    return Feedback(
        assignment_id=case.id,
        images=readings.images_of(connection, case.case_id),
        truth=truth,
        call=call,
        ai=readings.shown_ai(connection, case.id),
    )
