"""What further pages show: the people of a study, its monitor, adjudication, log; accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from markupsafe import Markup

from app.actions.invite_people import parts_in
from app.actions.list_deviations import Deviation
from app.actions.manage_people import SPECIALTIES, TRAININGS, StartAnswers
from app.actions.write_messages import Delivery
from app.db.accounts import AccountRow
from app.db.adjudication import AdjudicatedCase, AdjudicatedStudy
from app.db.audit import AuditedStudy, LoggedEvent
from app.db.case_readings import LockedReading
from app.db.monitor import CaseCoverage, ReaderPace
from app.db.people import ConsentText, Member, Profile, ReaderRow, WrittenLetter
from app.db.protocols import WashoutOverride
from app.db.readings import ReaderStudy
from app.db.studies import OpenInvitation, Study
from app.domain import pace
from app.domain.access import Part
from app.mail import Message
from app.web.pages import Page


@dataclass(frozen=True, kw_only=True)
class ReadersPage(Page):
    """GET /studies/{code}/readers.

    Forms: POST /studies/{code}/invitations (fields email, part), POST /studies/{code}/people/{id}/
    part (fields part, active, reason) for those who do not read.
    """

    template: ClassVar[str] = "readers.html"
    study: Study
    readers: list[ReaderRow]
    paces: Mapping[UUID, ReaderPace]
    members: list[Member]
    invitations: list[OpenInvitation]
    consent_text: ConsentText | None
    password_is_fresh: bool  # else inviting and ending a part ask for it
    invitation_link: str | None = None  # shown once, right after it was made
    delivery: Delivery | None = None
    email: str = ""  # what was typed in a refused invitation
    part: Part = Part.READER
    ending: UUID | None = None  # whose part was not changed, and the reason that was typed
    ending_reason: str = ""

    @property
    def parts(self) -> list[Part]:
        """The parts that somebody can still be invited to."""
        return parts_in(self.study.state)


@dataclass(frozen=True, kw_only=True)
class ReaderPage(Page):
    """GET /studies/{code}/readers/{person}.

    Forms: POST .../messages (fields kind, subject, text), POST .../washout (fields days, reason) in
    an open crossover, POST /studies/{code}/people/{reader}/part (fields part, active, reason); with
    ?number=N the readings of the reader's case N.
    """

    template: ClassVar[str] = "reader.html"
    study: Study
    reader: ReaderRow
    pace: ReaderPace
    consent_text: ConsentText | None
    washout_days: int  # of this reader
    password_is_fresh: bool = False  # else ending the part asks for it
    overrides: list[WashoutOverride]
    number: int | None = None  # of the case, as the reader sees it, whose readings are asked for
    readings: list[LockedReading] = field(default_factory=list[LockedReading])
    delivery: Delivery | None = None
    written: list[WrittenLetter]  # the newest last
    sent_before: datetime | None = None  # when the same text went out, which was not sent again
    subject: str = ""
    text: str = ""
    days: str = ""  # what was typed in a refused form
    washout_reason: str = ""
    ending: UUID | None = None
    ending_reason: str = ""


@dataclass(frozen=True)
class BehindReader:
    """A reader who has cases left, and the letter that a reminder would be."""

    reader: ReaderRow
    pace: ReaderPace
    letter: Message


@dataclass(frozen=True, kw_only=True)
class LettersPage(Page):
    """GET /studies/{code}/letters; form POST to it (fields kind, subject, text)."""

    template: ClassVar[str] = "letters.html"
    study: Study
    behind: list[BehindReader]
    resting: list[ReaderPace]  # whose washout is not over: they are not reminded
    everybody: int  # readers who are people and whose part has not ended
    sends_mail: bool  # a mail server is set
    now: datetime
    written: list[WrittenLetter]  # to all readers, the newest last
    deliveries: list[Delivery] = field(default_factory=list[Delivery])  # just made
    sent_before: dict[str, datetime] = field(  # address -> when it got the same words, not again
        default_factory=dict[str, datetime]
    )
    subject: str = ""
    text: str = ""

    @property
    def reminded(self) -> dict[UUID, WrittenLetter]:
        """Reader -> the last reminder."""
        return {each.reader_id: each for each in self.written if each.kind == "reminder"}


@dataclass(frozen=True, kw_only=True)
class ConsentPage(Page):
    """GET and POST /studies/{code}/consent (field text, Markdown)."""

    template: ClassVar[str] = "consent.html"
    study: Study
    texts: list[ConsentText]
    shown: Markup | None  # the newest, rendered
    typed: str


@dataclass(frozen=True, kw_only=True)
class StartPage(Page):
    """GET and POST /studies/{code}/start, for a reader.

    Fields: years_experience, specialty, training; consent_text (hidden: the version shown) and
    accepted (yes).
    """

    template: ClassVar[str] = "start.html"
    specialties: ClassVar[tuple[str, ...]] = SPECIALTIES
    trainings: ClassVar[tuple[str, ...]] = TRAININGS
    study: ReaderStudy
    profile: Profile | None
    profile_is_fixed: bool  # the first call is locked
    text: ConsentText | None
    text_html: Markup | None
    due: bool  # the version that holds is not accepted yet
    typed: StartAnswers


@dataclass(frozen=True, kw_only=True)
class AdjudicationPage(Page):
    """GET /studies/{code}/adjudication; forms POST .../{case} (diagnosis, source, diagnosed_on)."""

    template: ClassVar[str] = "adjudication.html"
    study: AdjudicatedStudy
    cases: list[AdjudicatedCase]
    case_typed: UUID | None = None  # whose form was refused, and what was typed in it
    typed: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class AuditPage(Page):
    """GET /studies/{code}/audit: a page of the log, newest first."""

    template: ClassVar[str] = "audit.html"
    study: AuditedStudy
    as_auditor: bool
    events: list[LoggedEvent]
    kinds: list[tuple[str, int]]
    kind: str
    older: int | None  # the number to go on from


@dataclass(frozen=True, kw_only=True)
class InstallationLogPage(Page):
    """GET /log: a page of the installation's own log, newest first."""

    template: ClassVar[str] = "installation_log.html"
    events: list[LoggedEvent]
    kinds: list[tuple[str, int]]
    kind: str
    older: int | None  # the number to go on from


@dataclass(frozen=True, kw_only=True)
class AccountsPage(Page):
    """GET /accounts; forms POST /accounts/{id}/disabled (field disabled: yes or no)."""

    template: ClassVar[str] = "accounts.html"
    accounts: list[AccountRow]


@dataclass(frozen=True, kw_only=True)
class MonitorPage(Page):
    """GET /studies/{code}/monitor; its block "live" is served at /monitor/live and polls itself."""

    template: ClassVar[str] = "monitor.html"
    study: Study
    readers: list[ReaderPace]
    uncovered: list[CaseCoverage]  # the cases fewest have finished
    deviations: list[Deviation]  # amendments, exclusions, corrections, newest first
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
