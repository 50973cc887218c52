"""What each page shows: one frozen dataclass a template, nothing else reaches it.

A template named `study.html` takes `page`, a `StudyPage`; no reader's page has a field that could
carry AI output or truth before its time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from markupsafe import Markup

from app.actions.case_quality import CaseQuality
from app.actions.check_seen_before import SeenBefore
from app.actions.design_study import STATEMENT
from app.actions.import_cases import ATTESTATION
from app.actions.list_deviations import Deviation
from app.actions.manage_accounts import CONFIRMED
from app.actions.sample_cases import COLUMNS, Explained
from app.db.adjudication import AdjudicatedStudy
from app.db.audit import AuditedStudy
from app.db.readings import ReaderStudy
from app.db.results import ReferenceSource
from app.db.studies import (
    CaseRow,
    ModelVersion,
    ReaderProgress,
    Study,
    StudyCounts,
)
from app.domain.access import Account, Part
from app.domain.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Page:
    """What every page has: who looks at it, and a sentence about what just happened."""

    template: ClassVar[str]
    viewer: Account | None = None
    notice: str | None = None  # something was done
    problem: str | None = None  # something was refused; what was typed is kept


@dataclass(frozen=True, kw_only=True)
class SignInPage(Page):
    """GET and POST /sign-in (fields: email, password, next)."""

    template: ClassVar[str] = "sign_in.html"
    email: str = ""
    next: str = "/"
    provider: str | None = None  # what the button for signing in at a hospital says
    passkeys: bool = False  # whether this address can have them


@dataclass(frozen=True, kw_only=True)
class TourPage(Page):
    """GET /tour, in a demonstration only: where the tour leads, and who can sign in."""

    template: ClassVar[str] = "tour.html"


@dataclass(frozen=True, kw_only=True)
class ConfirmPage(Page):
    """GET and POST /confirm (fields: password, next): the password again, then on to `next`."""

    template: ClassVar[str] = "confirm.html"
    next: str = "/"
    minutes: float = CONFIRMED.total_seconds() / 60


@dataclass(frozen=True, kw_only=True)
class InvitationPage(Page):
    """GET and POST /invitations/{token} (fields: name, password; name only when not known)."""

    template: ClassVar[str] = "invitation.html"
    token: str
    study_title: str
    email: str
    part: Part
    known: bool  # an account exists: ask for its password instead of a new one
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class ReaderLine:
    """A study in a reader's list."""

    study: ReaderStudy
    waits_until: datetime | None  # the washout's end: until then no case is shown


@dataclass(frozen=True, kw_only=True)
class ReaderHomePage(Page):
    """GET / for a reader: the studies they read in, each linking to /studies/{code}/read."""

    template: ClassVar[str] = "reader_home.html"
    lines: list[ReaderLine]
    adjudicated: list[AdjudicatedStudy] = field(default_factory=list[AdjudicatedStudy])
    audited: list[AuditedStudy] = field(default_factory=list[AuditedStudy])


@dataclass(frozen=True, kw_only=True)
class StudyLine:
    """A study in the coordinator's list."""

    study: Study
    counts: StudyCounts
    readers: int
    finished_readings: int
    expected_readings: int


@dataclass(frozen=True, kw_only=True)
class CoordinatorHomePage(Page):
    """GET / for a coordinator."""

    template: ClassVar[str] = "coordinator_home.html"
    studies: list[StudyLine]
    adjudicated: list[AdjudicatedStudy] = field(default_factory=list[AdjudicatedStudy])
    audited: list[AuditedStudy] = field(default_factory=list[AuditedStudy])


@dataclass(frozen=True, kw_only=True)
class NewStudyPage(Page):
    """GET and POST /studies/new (fields: code, title, instructions)."""

    template: ClassVar[str] = "new_study.html"
    code: str = ""
    title: str = ""
    instructions: str


@dataclass(frozen=True, kw_only=True)
class StudyPage(Page):
    """GET /studies/{code}: the coordinator's overview, from draft to export.

    Forms: POST /studies/{code}/score (field model_version), /open, /close. Links: the tabs of
    the study, import, unblind, export.
    The block "progress" alone is served at /studies/{code}/progress and polls itself.
    """

    template: ClassVar[str] = "study.html"
    study: Study
    counts: StudyCounts
    readers: list[ReaderProgress]
    model: ModelVersion | None  # the study's
    models: list[ModelVersion]  # to choose from while the study is a draft
    scoring: bool  # jobs are waiting or running
    failed_jobs: int
    quality: CaseQuality  # of a draft; afterwards on the page of the cases alone
    seen: SeenBefore | None  # of a draft whose images are scored
    password_is_fresh: bool  # else opening and closing ask for it
    deviations: list[Deviation]  # amendments, exclusions, corrections, newest first
    waiting: int  # cases of an open study that wait to be added
    consent_version: int | None  # of the newest consent text
    blinded_source: str | None  # the study that is to be unblinded before this copy of its cases


@dataclass(frozen=True, kw_only=True)
class ImportPage(Page):
    """GET and POST /studies/{code}/import.

    Files: cases (a CSV) and images (a ZIP); field action: dry_run or import; attested: yes.
    Samples to try it with are at .../import/samples/{cases.csv, images.zip, columns.csv}.
    """

    template: ClassVar[str] = "import.html"
    columns: ClassVar[tuple[Explained, ...]] = COLUMNS
    study: Study
    problems: tuple[Problem, ...] = ()
    summary: str | None = None  # of a dry run without problems: what would be imported
    flagged: tuple[Problem, ...] = ()  # images to look at; they can be imported as they are
    attestation: str = ATTESTATION
    attested: bool = False  # what was ticked; a browser keeps no files
    without_diagnosis: bool = False


@dataclass(frozen=True, kw_only=True)
class CasesPage(Page):
    """GET /studies/{code}/cases: the gallery; thumbnails at /studies/{code}/cases/{id}/images/1."""

    template: ClassVar[str] = "cases.html"
    study: Study
    counts: StudyCounts
    cases: list[CaseRow]  # with ?flagged=yes those alone
    quality: CaseQuality
    only_flagged: bool = False


@dataclass(frozen=True, kw_only=True)
class SeenBeforePage(Page):
    """GET and POST /studies/{code}/seen-before (fields: reason, matches)."""

    template: ClassVar[str] = "seen_before.html"
    study: Study
    model: ModelVersion | None
    seen: SeenBefore
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class UnblindPage(Page):
    """GET and POST /studies/{code}/unblind (fields: meant, password, reason)."""

    template: ClassVar[str] = "unblind.html"
    study: Study
    readers: list[ReaderProgress]
    blinded_source: str | None  # as on the overview
    statement: ClassVar[str] = STATEMENT  # what the person ticks that they mean
    reason: str = ""
    meant: bool = False


@dataclass(frozen=True, kw_only=True)
class ResultsPage(Page):
    """GET /studies/{code}/results, after unblinding only.

    `analysis` is the JSON of `reread analyse` on the exported file, so both show the same numbers.
    Figures, each as .svg, .pdf and .png: /studies/{code}/results/figures/{averaged-roc, forest,
    bars}, and /studies/{code}/results/{roc, changes}/{reader} for each reader of the
    analysis: R01, R02, ...
    """

    template: ClassVar[str] = "results.html"
    study: Study
    analysis: Mapping[str, object]
    file_sha256: str  # of readings.csv as exported
    software_version: str
    reader_names: Mapping[str, str]  # R01 -> name; files carry the code only
    simulated_readers: frozenset[str]  # codes to be marked as simulated
    model: ModelVersion
    columns: tuple[str, ...]  # characteristics of the cases that can make subgroups
    expected: int  # readings that count when all are made
    references: list[ReferenceSource]  # how each diagnosis was made: unequal means are a bias


@dataclass(frozen=True, kw_only=True)
class PairsPage(ResultsPage):
    """GET /studies/{code}/results/pairs: what the results page leaves out of many readers."""

    template: ClassVar[str] = "results_pairs.html"


@dataclass(frozen=True, kw_only=True)
class ModelPage(Page):
    """GET /models/{id}: the model's card; `card_html` is rendered from its Markdown."""

    template: ClassVar[str] = "model.html"
    model: ModelVersion
    card_html: Markup  # made by a renderer that shows HTML in the card as text


@dataclass(frozen=True, kw_only=True)
class RefusalPage(Page):
    """Any refusal: what happened and what to do."""

    template: ClassVar[str] = "refusal.html"
    status: int
    sentence: str
    problems: tuple[Problem, ...] = ()
    back: str | None = None  # the page above, for whoever may open it; none where nothing is found
