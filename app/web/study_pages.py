"""What the coordinator's further pages of a study show: readers and monitor."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from app.db.monitor import CaseCoverage, ReaderPace
from app.db.studies import OpenInvitation, ReaderProgress, Study
from app.domain import pace
from app.web.pages import Page


@dataclass(frozen=True, kw_only=True)
class ReadersPage(Page):
    """GET /studies/{code}/readers; the form POST /studies/{code}/invitations (field email)."""

    template: ClassVar[str] = "readers.html"
    study: Study
    readers: list[ReaderProgress]
    invitations: list[OpenInvitation]
    invitation_link: str | None = None  # shown once, right after it was made


@dataclass(frozen=True, kw_only=True)
class MonitorPage(Page):
    """GET /studies/{code}/monitor; its block "live" is served at /monitor/live and polls itself."""

    template: ClassVar[str] = "monitor.html"
    study: Study
    readers: list[ReaderPace]
    uncovered: list[CaseCoverage]  # the cases fewest have finished
    now: datetime
    until: int  # seconds since 1970: the page follows until then, and says so
    too_fast: float = pace.TOO_FAST.total_seconds()
    idle_minutes: float = pace.IDLE.total_seconds() / 60
    stalled_days: int = pace.STALLED.days
    legend: ClassVar[list[tuple[str, str, str]]] = [
        (state, pace.GLYPHS[state], pace.WORDS[state]) for state in pace.LETTERS.values()
    ]

    @property
    def follows(self) -> bool:
        """Say whether the page still asks for news by itself."""
        return self.study.state == "open" and self.now.timestamp() < self.until
