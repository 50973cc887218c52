"""What the pages of one case, of one reading and of added cases show: never a call."""

from dataclasses import dataclass
from typing import ClassVar

from app.actions.add_cases import Waiting
from app.db.additions import Addition
from app.db.case_readings import CaseDetail, LockedReading
from app.db.protocols import Correction, Exclusion
from app.db.studies import ModelVersion, Study
from app.domain.study_design import StudyDesign
from app.web.pages import Page


@dataclass(frozen=True, kw_only=True)
class CasePage(Page):
    """GET /studies/{code}/cases/{case}.

    Forms POST .../exclusion and .../readmission (field reason).
    """

    template: ClassVar[str] = "case.html"
    study: Study
    case: CaseDetail
    quality: list[str]  # what was flagged
    readings: list[LockedReading]
    acts: list[Exclusion]  # that it was excluded, brought back, ..., in time's order
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ReadingPage(Page):
    """GET /studies/{code}/readings/{reading}.

    Forms POST .../corrections (fields kind: void or correct, reason; call, confidence and, where
    the study asks for it, management for correct).
    """

    template: ClassVar[str] = "reading.html"
    study: Study
    reading: LockedReading
    corrections: list[Correction]  # the newest first
    kind: str = ""  # what was typed in a refused form
    reason: str = ""
    call: str = ""
    confidence: str = ""
    management: str = ""
    design: StudyDesign


@dataclass(frozen=True, kw_only=True)
class AdditionPage(Page):
    """GET and POST /studies/{code}/addition (field reason).

    Form POST /studies/{code}/score (field model_version). The block "progress" alone is served at
    .../addition/progress and polls itself.
    """

    template: ClassVar[str] = "addition.html"
    study: Study
    waiting: Waiting
    model: ModelVersion | None
    scoring: bool  # jobs are waiting or running
    failed_jobs: int
    readers: int
    done: int  # readers who have read everything so far
    additions: list[Addition]
    reason: str = ""
