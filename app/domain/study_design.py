"""The settings of a study: which design, what the AI shows, what is asked.

They change while the study is a draft. From opening on the database holds them to the newest
protocol version; title, instructions and cases per sitting change by an amendment with a reason.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from app.domain.errors import InvalidInput
from app.domain.sentences import Sentence, said

Design = Literal["sequential", "hidden_share", "crossover", "parallel"]
Arm = Literal["with_ai", "without_ai"]
Purpose = Literal["counted", "training"]
Management = Literal["biopsy", "no_biopsy"]
AnalysedReadings = Literal["original", "corrected"]
ConfidenceScale = Literal["percent", "five_steps"]

DESIGNS: tuple[Design, ...] = get_args(Design)
LONGEST_WASHOUT = 365
MOST_REPEATS = 200
MOST_PER_SITTING = 500
WASHOUT = said("The washout is {least} to {most} days.")
REPEATS = said("{least} to {most} cases can be read a second time.")
SITTING = said("A sitting has {least} to {most} cases, or no end.")
FIVE_STEPS = (0, 25, 50, 75, 100)  # per cent; the keys 1 to 5
LARGEST_SHARE = 50  # so that with two readers every case is read with AI by one of them


@dataclass(frozen=True, kw_only=True)
class StudyDesign:
    """The settings, as they stand in columns of the study.

    `unaided_only_percent` is the share of a reader's counted cases that are read without AI,
    in the design hidden_share alone. `washout_days` lie between the sessions of a crossover.
    `repeats` counted cases are read a second time, for agreement of a reader with themselves.
    `confidence_scale`: any whole per cent from 0 to 100, or one of FIVE_STEPS.
    `analysed_readings`: whether voids and corrections count, or readings as they were locked.
    """

    design: Design = "sequential"
    unaided_only_percent: int = 0
    washout_days: int = 28
    show_probability: bool = True
    show_label: bool = True
    show_overlay: bool = True
    show_performance: bool = False  # the model's own record: sensitivity and specificity
    confidence_scale: ConfidenceScale = "percent"
    ask_management: bool = False
    ask_comment: bool = False
    log_zoom: bool = False  # how far the images were enlarged, as the browser says
    repeats: int = 0
    cases_per_sitting: int | None = None
    analysed_readings: AnalysedReadings = "original"

    def check(self) -> None:
        """Raise InvalidInput, with the sentence for the coordinator, where a setting is no good."""
        if self.design not in DESIGNS:
            raise InvalidInput(
                said("There is no design named {design}.", design=self.design), field="design"
            )
        if self.design == "hidden_share" and not 1 <= self.unaided_only_percent <= LARGEST_SHARE:
            raise InvalidInput(
                said(
                    "The hidden share is 1 to {largest_share} per cent of a reader's cases: at "
                    "most half, so that every case is read with AI by somebody.",
                    largest_share=LARGEST_SHARE,
                ),
                field="unaided_only_percent",
            )
        if self.design != "hidden_share" and self.unaided_only_percent != 0:
            raise InvalidInput("Only the design with a hidden share has a share without AI.")
        if self.analysed_readings not in get_args(AnalysedReadings):
            raise InvalidInput("Say whether readings are analysed as locked or as corrected.")
        if not (self.show_probability or self.show_label or self.show_overlay):
            raise InvalidInput(
                "The AI has to show something: probability, label or map.", field="show_label"
            )
        _within(self.washout_days, 0, LONGEST_WASHOUT, WASHOUT, field="washout_days")
        _within(self.repeats, 0, MOST_REPEATS, REPEATS, field="repeats")
        if self.cases_per_sitting is not None:
            check_sitting(self.cases_per_sitting)

    def places(self, *, counted: int, training: int) -> int:
        """Return how many cases a reader meets; one that comes twice counts twice."""
        sessions = 2 if self.design == "crossover" else 1
        return training + sessions * (counted + min(self.repeats, counted))


def check_sitting(cases: int) -> None:
    """Raise InvalidInput where a sitting cannot have so many cases."""
    _within(cases, 1, MOST_PER_SITTING, SITTING, field="cases_per_sitting")


def _within(value: int, least: int, most: int, sentence: Sentence, *, field: str) -> None:
    if not least <= value <= most:
        raise InvalidInput(Sentence(sentence.pattern, least=least, most=most), field=field)
