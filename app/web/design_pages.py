"""What the design page and the preview of a study show."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel

from app.db.protocols import ProtocolVersion
from app.db.studies import Study
from app.domain.errors import InvalidInput
from app.domain.sentences import Sentence, said
from app.domain.study_design import DESIGNS, Design, StudyDesign
from app.web.pages import Page

# Settings that are fixed from opening on, and how a sentence names them.
FROZEN = {
    "design": said("who reads what with the AI"),
    "unaided_only_percent": said("the hidden share"),
    "washout_days": said("the washout"),
    "show_probability": said("what the AI shows"),
    "show_label": said("what the AI shows"),
    "show_overlay": said("what the AI shows"),
    "show_performance": said("what the AI shows"),
    "confidence_scale": said("the questions"),
    "ask_management": said("the questions"),
    "ask_comment": said("the questions"),
    "log_zoom": said("whether the zoom is noted"),
    "repeats": said("the repeated cases"),
    "analysed_readings": said("which readings are analysed"),
}


class DesignForm(BaseModel):
    """The form as typed; numbers stay text, so that a wrong one is shown again as it was."""

    title: str = ""
    instructions: str = ""
    design: str = "sequential"
    unaided_only_percent: str = "0"
    washout_days: str = "28"
    show_probability: bool = False
    show_label: bool = False
    show_overlay: bool = False
    show_performance: bool = False
    confidence_scale: str = "percent"
    ask_management: bool = False
    log_zoom: bool = False
    ask_comment: bool = False
    repeats: str = "0"
    cases_per_sitting: str = ""
    analysed_readings: str = "original"
    reason: str = ""

    @classmethod
    def of(cls, study: Study, design: StudyDesign) -> "DesignForm":
        """Return the form that shows what is stored."""
        return cls(
            title=study.title,
            instructions=study.instructions,
            design=design.design,
            unaided_only_percent=str(design.unaided_only_percent),
            washout_days=str(design.washout_days),
            show_probability=design.show_probability,
            show_label=design.show_label,
            show_overlay=design.show_overlay,
            show_performance=design.show_performance,
            confidence_scale=design.confidence_scale,
            ask_management=design.ask_management,
            log_zoom=design.log_zoom,
            ask_comment=design.ask_comment,
            repeats=str(design.repeats),
            cases_per_sitting=str(design.cases_per_sitting or ""),
            analysed_readings=design.analysed_readings,
        )

    def design_of(self) -> StudyDesign:
        """Return the settings; raises InvalidInput for what is no number or no design."""
        known: dict[str, Design] = {name: name for name in DESIGNS}
        chosen = known.get(self.design)
        if chosen is None:
            raise InvalidInput(
                said("There is no design named {design}.", design=self.design), field="design"
            )
        hidden = chosen == "hidden_share"
        return StudyDesign(
            design=chosen,
            unaided_only_percent=_whole(
                self.unaided_only_percent, said("The hidden share"), field="unaided_only_percent"
            )
            if hidden
            else 0,
            washout_days=_whole(self.washout_days, said("The washout"), field="washout_days"),
            show_probability=self.show_probability,
            show_label=self.show_label,
            show_overlay=self.show_overlay,
            show_performance=self.show_performance,
            confidence_scale="five_steps" if self.confidence_scale == "five_steps" else "percent",
            ask_management=self.ask_management,
            log_zoom=self.log_zoom,
            ask_comment=self.ask_comment,
            repeats=_whole(self.repeats, said("The number of repeated cases"), field="repeats"),
            cases_per_sitting=self.sitting(),
            analysed_readings="corrected" if self.analysed_readings == "corrected" else "original",
        )

    def frozen(self, held: StudyDesign) -> list[Sentence]:
        """Name what the form would change of settings that are fixed from opening on.

        A form of the draft, sent from an old tab, has them all; an amendment has none.
        """
        sent = set(FROZEN) if "design" in self.model_fields_set else self.model_fields_set
        asked = self.design_of()
        named = [
            what
            for name, what in FROZEN.items()
            if name in sent and getattr(asked, name) != getattr(held, name)
        ]
        return list(dict.fromkeys(named))

    def sitting(self) -> int | None:
        """Return the cases per sitting; None where a sitting has no end."""
        text = self.cases_per_sitting.strip()
        what = said("The number of cases per sitting")
        return _whole(text, what, field="cases_per_sitting") if text else None


def _whole(text: str, what: str, *, field: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 4):  # noqa: PLR2004
        raise InvalidInput(
            said("{what} is a whole number. Nothing was saved.", what=what), field=field
        )
    return int(text)


@dataclass(frozen=True, kw_only=True)
class DesignPage(Page):
    """GET and POST /studies/{code}/design (fields of DesignForm); POST .../copy (with_cases)."""

    template: ClassVar[str] = "design.html"
    study: Study
    form: DesignForm
    versions: list[ProtocolVersion]
    cases: int  # that could come along with a copy
    with_cases: bool = False
    new_code: str = ""
    new_title: str = ""
