"""What the reading room and the page of its keys show."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel

from app.actions.between_cases import Between
from app.db.readings import ReaderStudy
from app.domain.reading import LockedCall, ReadingState
from app.domain.reading_keys import BOTH_IN_ONE, LAYOUTS, MEANINGS, PAUSES, ReadingKeys
from app.domain.scores import Diagnosis
from app.domain.study_design import FIVE_STEPS, StudyDesign
from app.web.pages import Page


@dataclass(frozen=True, kw_only=True)
class ImageView:
    """An image of the case as the browser gets it: opaque address, size in pixels."""

    url: str
    overlay_url: str | None  # set only once the AI was released
    modality: str  # dermoscopic, clinical or other
    width: int
    height: int
    synthetic: bool  # must be labelled as a generated image wherever it shows
    mm_per_pixel: float | None  # of the image as it is stored and shown


@dataclass(frozen=True, kw_only=True)
class AIView:
    """The released AI output of the case; None where the study does not show it."""

    call: Diagnosis | None
    probability: float | None  # of BCC, 0 to 1
    threshold: float | None
    model_name: str
    demonstration: bool
    map_scale: float | None  # the overlay's colours run from -map_scale (SK) to +map_scale (BCC)
    map_rows: int | None
    map_columns: int | None
    performance: Mapping[str, Any] | None  # the model's record on its test images


class CallForm(BaseModel):
    """A call as typed: all text, checked by parse_submission; `pause` for the aided call alone."""

    call: str = ""
    confidence: str = ""
    submission_id: str = ""
    active_milliseconds: str = ""
    map_milliseconds: str = ""
    greatest_zoom: str = ""
    management: str = ""
    comment: str = ""
    pause: str = ""


class CallInAnotherLanguage(CallForm):
    """A call as typed so far, when the reader asks for the page in another language."""

    language: str = ""


@dataclass(frozen=True, kw_only=True)
class ReadingRoomPage(Page):
    """GET /studies/{code}/read: the current case in the state the server holds.

    state ASSIGNED: nothing shown yet; form POST /studies/{code}/next starts. `between` says what
                    there is to say of the case before, of the sitting and of the washout.
    state SERVED:   images + form POST /readings/{assignment}/unaided.
    state LOCKED:   form POST /readings/{assignment}/reveal, sent by itself, with a button.
    state REVEALED: images with overlay, AI, first call + form POST /readings/{assignment}/aided.
    state None:     every case is finished, or the study is not open (see study.state).
    Both call forms are a CallForm; management (biopsy|no_biopsy) and comment where the study asks
    for them.

    A coordinator's preview is this page too: `preview` says what a study under way would show,
    nothing of the AI is in it, and its forms go to POST /studies/{code}/preview.
    """

    template: ClassVar[str] = "reading_room.html"
    meanings: ClassVar[Mapping[str, str]] = MEANINGS
    steps: ClassVar[tuple[int, ...]] = FIVE_STEPS  # of the confidence, where the study has five
    study: ReaderStudy
    state: ReadingState | None
    assignment_id: str = ""
    position: int = 0  # of study.cases
    training: bool = False  # this case is one
    between: Between | None = None
    images: list[ImageView] = field(default_factory=list[ImageView])
    ahead: list[str] = field(default_factory=list[str])  # addresses of the next case's images
    unaided: LockedCall | None = None
    ai: AIView | None = None
    submission_id: str = ""
    typed: CallForm = field(default_factory=CallForm)  # kept after a refused form
    keys: ReadingKeys = field(default_factory=ReadingKeys)
    preview: StudyDesign | None = None
    profile_due: bool = False  # before the first call: the reader has not said who they are

    @property
    def keys_json(self) -> str:
        """Return the keys for the page's script: key -> act."""
        return json.dumps({key: act for act, key in self.keys.keys.items() if key})


@dataclass(frozen=True, kw_only=True)
class KeysPage(Page):
    """GET and POST /keys (fields: a key for each act, single_keys, pause_minutes, or `layout`)."""

    template: ClassVar[str] = "keys.html"
    meanings: ClassVar[Mapping[str, str]] = MEANINGS
    may_be_empty: ClassVar[tuple[str, ...]] = BOTH_IN_ONE
    layouts: ClassVar[Mapping[str, tuple[str, Mapping[str, str]]]] = LAYOUTS
    pauses: ClassVar[tuple[int, int]] = PAUSES
    typed: Mapping[str, str]
    single_keys: bool
    pause_minutes: str
