"""Reading a case: served, locked unaided, AI released (or withheld), locked aided.

Every step is one transaction; the caller commits before it answers. The database refuses steps
out of order, so what is here decides only what to say.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from app import __version__
from app.db import cases, people, readings
from app.db.session import Connection
from app.domain.errors import Conflict, NotFound
from app.domain.reading import LockedCall, Phase, ReadingState, Submission, Viewing
from app.domain.sentences import said

NO_CASE = "There is no such case."


class AlreadyLocked(Conflict):
    """The call of this phase is locked already, and is not what was sent now."""


class FormUsed(Conflict):
    """The submission id belongs to another call: a form is good for one."""


@dataclass(frozen=True)
class CaseView:
    """What a reader may see of their current case: AI output only once it was released."""

    assignment: readings.Assignment
    images: list[readings.CaseImage]
    unaided: LockedCall | None
    ai: list[readings.ShownOverlay]

    @property
    def state(self) -> ReadingState:
        """Return how far the reader is with the case."""
        return self.assignment.state


def find_reader_study(connection: Connection, *, code: str) -> readings.ReaderStudy:
    """Return a study the actor reads in; raises NotFound."""
    found = readings.reader_study(connection, code)
    if found is None:
        raise NotFound(said('There is no study named "{code}" among yours.', code=code))
    return found


def study_of(connection: Connection, *, assignment_id: UUID) -> readings.ReaderStudy:
    """Return the study an assignment of the actor's belongs to; raises NotFound."""
    assignment = _find(connection, assignment_id)
    found = readings.reader_study_by_id(connection, assignment.study_id)
    if found is None:
        raise NotFound(NO_CASE)
    return found


def image_key(connection: Connection, *, assignment_id: UUID, position: int) -> str:
    """Return where an image lies, of a served case or of the very next one; raises NotFound."""
    assignment = _find(connection, assignment_id)
    key = cases.image_key(
        connection, study=assignment.study_id, case=assignment.case_id, position=position
    )
    if key is not None:
        return key
    for image in readings.images_ahead(connection, assignment.study_id):
        if (image.assignment_id, image.image_position) == (assignment_id, position):
            return image.storage_key
    raise NotFound(NO_CASE)


def images_ahead(
    connection: Connection, *, study: readings.ReaderStudy, case: CaseView
) -> list[readings.ImageAhead]:
    """Return the images that the page may fetch while the reader is still with what comes before.

    None where the next case is not shown next: the sitting ends, or a consent is due.
    """
    finished = study.finished + (1 if case.state is ReadingState.REVEALED else 0)
    if sitting_is_over(replace(study, finished=finished)) or people.consent_is_due(
        connection, study.id
    ):
        return []
    return readings.images_ahead(connection, study.id)


def overlay_key(connection: Connection, *, assignment_id: UUID, position: int) -> str:
    """Return where an overlay lies once it was released; raises NotFound before."""
    for overlay in readings.shown_ai(connection, assignment_id):
        if overlay.image_position == position and overlay.overlay_key is not None:
            return overlay.overlay_key
    raise NotFound(NO_CASE)


def current_case(connection: Connection, *, study: UUID) -> CaseView | None:
    """Return the actor's current case as the server holds it; None when all are finished."""
    assignment = readings.current_assignment(connection, study)
    if assignment is None:
        return None
    return CaseView(
        assignment=assignment,
        images=readings.images_of(connection, assignment.case_id) if assignment.served else [],
        unaided=readings.locked_call(connection, assignment.id, Phase.UNAIDED)
        if assignment.unaided
        else None,
        ai=readings.shown_ai(connection, assignment.id) if assignment.revealed else [],
    )


def consent_comes_first(connection: Connection, *, study: readings.ReaderStudy) -> bool:
    """Say whether the actor is to consent before their next step.

    Whoever accepted an earlier version finishes the case under way first.
    """
    if not study.is_read or not people.consent_is_due(connection, study.id):
        return False
    following = readings.current_assignment(connection, study.id)
    if following is None:
        return False
    return not (following.served and people.has_ever_consented(connection, study.id))


def serve_next(connection: Connection, *, study: UUID) -> None:
    """Show the actor their next case (t0); nothing happens when one is shown already."""
    assignment = readings.current_assignment(connection, study)
    if assignment is not None and not assignment.served:
        readings.insert_served(connection, assignment)


def lock_unaided(connection: Connection, *, assignment_id: UUID, submission: Submission) -> None:
    """Lock the actor's unaided call (t1)."""
    _lock(connection, _find(connection, assignment_id), Phase.UNAIDED, submission)


def reveal(connection: Connection, *, assignment_id: UUID) -> None:
    """Release the AI output of a locked case (t2); releasing twice records once."""
    _find(connection, assignment_id)
    readings.release_ai(connection, assignment_id, software_version=__version__)


def lock_aided(
    connection: Connection, *, assignment_id: UUID, submission: Submission, pause: bool = False
) -> None:
    """Lock the actor's aided call (t3); show the next case, unless the reader wants a pause.

    Nor is it shown after a training case, whose feedback comes first, at the end of a sitting, or
    where a session ends.
    """
    assignment = _find(connection, assignment_id)
    _lock(connection, assignment, Phase.AIDED, submission)
    if pause or assignment.purpose == "training":
        return
    following = readings.current_assignment(connection, assignment.study_id)
    study = readings.reader_study_by_id(connection, assignment.study_id)
    if (
        following is None
        # Shown already: the call was sent again. A closed study refuses only what is new.
        or following.served
        or following.session != assignment.session
        or study is None
        or sitting_is_over(study)
        # A new version of the consent text holds back the next case, not the call just made.
        or people.consent_is_due(connection, study.id)
    ):
        return
    readings.insert_served(connection, following)


def sitting_is_over(study: readings.ReaderStudy) -> bool:
    """Say whether the last finished case ended a sitting and others are to come."""
    done, each = study.finished, study.cases_per_sitting
    return each is not None and 0 < done < study.cases and done % each == 0


def _find(connection: Connection, assignment_id: UUID) -> readings.Assignment:
    found = readings.assignment_by_id(connection, assignment_id)
    if found is None:
        raise NotFound(NO_CASE)
    return found


def _lock(
    connection: Connection, assignment: readings.Assignment, phase: Phase, submission: Submission
) -> None:
    """Lock once. The same submit again is the same receipt; another answer is refused."""
    earlier = readings.locked_call(connection, assignment.id, phase)
    if earlier is None:
        reading = readings.insert_reading(connection, assignment, phase, submission)
        if reading is not None:
            _note_viewing(connection, reading, assignment, phase, submission)
            return
        earlier = readings.locked_call(connection, assignment.id, phase)  # another tab was faster
    if earlier is None:
        raise FormUsed("This form was used for another call. Choose again; nothing was locked.")
    if not submission.repeats(earlier):
        # The answer shows where the reader is now: of a case that is done, that is another one.
        done = assignment.state is ReadingState.FINISHED
        raise AlreadyLocked(
            said(
                _DONE_BEFORE if done else _LOCKED_BEFORE,
                phase=said(phase),
                call=earlier.call,
                confidence=earlier.confidence,
            )
        )


_LOCKED_BEFORE = said(
    "Your {phase} call for this case is already locked: {call}, {confidence} % sure. "
    "It was not changed."
)
_DONE_BEFORE = said(
    "The case that you answered just now was done before: your {phase} call was {call}, "
    "{confidence} % sure. It was not changed; the page shows where you are now."
)


def _note_viewing(
    connection: Connection,
    reading: UUID,
    assignment: readings.Assignment,
    phase: Phase,
    submission: Submission,
) -> None:
    """Keep what the browser said of looking; before the reveal there is no map to look at."""
    said = submission.viewing
    if phase is Phase.UNAIDED:
        said = replace(said, map_milliseconds=None)
    if said != Viewing():
        readings.insert_viewing(connection, reading, assignment, said)
