"""What the pages of one case and of one reading show: steps and times, never a call."""

from dataclasses import dataclass
from typing import ClassVar

from app.db.case_readings import CaseDetail, LockedReading
from app.db.protocols import Correction
from app.db.studies import Study
from app.web.pages import Page


@dataclass(frozen=True, kw_only=True)
class CasePage(Page):
    """GET /studies/{code}/cases/{case}; form POST .../exclusion (field reason)."""

    template: ClassVar[str] = "case.html"
    study: Study
    case: CaseDetail
    quality: list[str]  # what was flagged
    readings: list[LockedReading]
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ReadingPage(Page):
    """GET /studies/{code}/readings/{reading}.

    Forms POST .../corrections (fields kind: void or correct, reason; call and confidence for
    correct).
    """

    template: ClassVar[str] = "reading.html"
    study: Study
    reading: LockedReading
    corrections: list[Correction]  # the newest first
    kind: str = ""  # what was typed in a refused form
    reason: str = ""
    call: str = ""
    confidence: str = ""
