"""The state machine of one case before one reader.

assigned -> served -> locked -> revealed -> finished; where the AI is withheld, served -> finished.
The state is not stored: it follows from which rows exist, and the database refuses rows out of
order. Up to the lock, a case with AI and one without are the same to everybody but the database.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.errors import InvalidInput
from app.domain.scores import DIAGNOSES, Diagnosis
from app.domain.sentences import said
from app.domain.study_design import FIVE_STEPS, ConfidenceScale, Management


class Phase(StrEnum):
    """Before or after the reader has seen the AI."""

    UNAIDED = "unaided"
    AIDED = "aided"


class ReadingState(StrEnum):
    """How far a reader is with a case."""

    ASSIGNED = "assigned"  # in the reader's order, not shown yet
    SERVED = "served"  # images shown (t0), no call locked
    LOCKED = "locked"  # unaided call locked (t1), AI not released
    REVEALED = "revealed"  # AI released (t2), aided call open
    FINISHED = "finished"  # aided call locked (t3), or the unaided one where the AI is withheld


@dataclass(frozen=True)
class LockedCall:
    """A call as it was locked; it never changes."""

    phase: Phase
    call: Diagnosis
    confidence: int
    submission_id: UUID
    locked_at: datetime
    management: Management | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Viewing:
    """What the browser says of how a case was looked at: untrusted; None where not known."""

    map_milliseconds: int | None = None  # for how long the model's map lay over an image
    greatest_zoom: float | None = None  # 1: the whole image fits


@dataclass(frozen=True)
class Submission:
    """A call as it arrives, before it is locked."""

    call: Diagnosis
    confidence: int
    submission_id: UUID
    active_milliseconds: int | None
    management: Management | None = None
    comment: str | None = None
    viewing: Viewing = Viewing()

    def repeats(self, locked: LockedCall) -> bool:
        """Say whether this is the same submit sent again (lost answer, double click)."""
        sent = (self.submission_id, self.call, self.confidence, self.management, self.comment)
        held = (locked.submission_id, locked.call, locked.confidence)
        return sent == (*held, locked.management, locked.comment)


@dataclass(frozen=True)
class Questions:
    """What a study asks beside the call, and on which scale the confidence is given."""

    confidence_scale: ConfidenceScale = "percent"
    management: bool = False
    comment: bool = False
    zoom: bool = False  # not asked, but noted by the browser


def state_of(
    *, served: bool, unaided: bool, revealed: bool, aided: bool, withheld: bool = False
) -> ReadingState:
    """Return the state that these rows mean."""
    if aided or withheld:
        return ReadingState.FINISHED
    if revealed:
        return ReadingState.REVEALED
    if unaided:
        return ReadingState.LOCKED
    return ReadingState.SERVED if served else ReadingState.ASSIGNED


# As the page wrote it; UUID() itself also takes digits of other scripts, braces and more.
_SUBMISSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LONGEST_ACTIVE_MILLISECONDS = 86_400_000  # a day; more is not believed
LONGEST_COMMENT = 2000
GREATEST_ZOOM = 1000


def parse_submission(
    *,
    call: str,
    confidence: str,
    submission_id: str,
    active_milliseconds: str = "",
    management: str = "",
    comment: str = "",
    map_milliseconds: str = "",
    greatest_zoom: str = "",
    questions: Questions = Questions(),
) -> Submission:
    """Check a reader's form; raises InvalidInput with the sentence for the reader.

    Numbers are ASCII digits only: no signs, no other scripts, no exponents.
    """
    if call not in DIAGNOSES:
        raise InvalidInput("Choose BCC or SK before locking.")
    percent = _confidence(confidence, questions.confidence_scale)
    if not _SUBMISSION_ID.fullmatch(submission_id):
        raise InvalidInput("This form is damaged. Reload the page; nothing was locked.")
    return Submission(
        call,
        percent,
        UUID(submission_id),
        _milliseconds(active_milliseconds),
        _management(management) if questions.management else None,
        _comment(comment) if questions.comment else None,
        Viewing(_milliseconds(map_milliseconds), _zoom(greatest_zoom) if questions.zoom else None),
    )


def _confidence(text: str, scale: ConfidenceScale) -> int:
    short = text.isascii() and text.isdigit() and len(text) <= 3  # noqa: PLR2004
    if scale == "five_steps" and not (short and int(text) in FIVE_STEPS):
        raise InvalidInput("Say how sure you are by one of the five steps, from 0 to 100 per cent.")
    if not (short and int(text) <= 100):  # noqa: PLR2004 - per cent
        raise InvalidInput("Give your confidence in the call as a whole number from 0 to 100.")
    return int(text)


def _management(text: str) -> Management:
    if text == "biopsy":
        return "biopsy"
    if text == "no_biopsy":
        return "no_biopsy"
    raise InvalidInput("Say whether you would take a biopsy.")


def _comment(text: str) -> str | None:
    # A browser sends line ends as CR LF.
    text = text.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_COMMENT or "\x00" in text:
        raise InvalidInput(
            said(
                "A comment has at most {longest_comment:,} characters.",
                longest_comment=LONGEST_COMMENT,
            )
        )
    return text or None


def _milliseconds(text: str) -> int | None:
    """Browser time is untrusted: anything odd is recorded as not known."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004
        return None
    value = int(text)
    return value if value <= LONGEST_ACTIVE_MILLISECONDS else None


def _zoom(text: str) -> float | None:
    """Untrusted like browser time."""
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text):
        return None
    value = float(text)
    return value if 1 <= value <= GREATEST_ZOOM else None
