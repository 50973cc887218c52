"""Which readings enter the analysis, in every design; the rest is exported apart, with the reason.

The modality of a counted reading is its phase. What that means follows from the design:

- sequential: unaided and aided are the two calls of one case.
- hidden_share: the same; a case whose AI was withheld has no aided call.
- crossover: unaided is the call of the session without AI, aided the last call of the session with
  AI. The call that is locked there before the AI is shown is a call_before_ai and does not count.
- parallel: unaided are the calls of readers without AI, aided the last calls of readers with AI;
  their calls before the AI are calls_before_ai too.

Voids and corrections count only where the protocol says that readings are analysed as corrected;
else they are exported beside the readings as they were locked, which count.

Second readings of repeated cases stand beside the first as occasion 2: the analysis counts the
first and compares the two. One whose first does not count is a repeat without its first.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from app.domain.study_design import AnalysedReadings, Arm, Design, Purpose

Uncounted = Literal[
    "training",
    "excluded_case",
    "void",
    "corrected",
    "void_not_used",
    "correction_not_used",
    "call_before_ai",
    "repeat_alone",
]
# Rows that stand in readings_not_counted.csv beside the same reading's own row.
BESIDE = frozenset({"corrected", "void_not_used", "correction_not_used"})

MEANING: dict[Uncounted, str] = {
    "training": "a training case",
    "excluded_case": "the case was excluded",
    "void": "the reading was voided",
    "corrected": "the call as it was locked, before its correction",
    "void_not_used": "voided, but the protocol analyses readings as locked: it counts",
    "correction_not_used": (
        "the call of a correction, but the protocol analyses readings as locked"
    ),
    "call_before_ai": "crossover and parallel: locked before the AI was shown",
    "repeat_alone": "a second reading whose first does not count",
}


class Place(NamedTuple):
    """What two readings of one repeated case have in common, and which of them it is."""

    reader: str
    case: str
    phase: str
    occasion: int


def excluded_cases(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> set[str]:
    """Return the cases, by id, whose exclusion stands: undone by no later row of the log."""
    undone = {row["exclusion_id"] for row in rows.get("case_readmission", [])}
    return {row["case_id"] for row in rows.get("case_exclusion", []) if row["id"] not in undone}


def why_not_counted(
    *, design: Design, arm: Arm, phase: str, purpose: Purpose, excluded: bool, void: bool
) -> Uncounted | None:
    """Return why a reading by itself stays out of the analysis; None when it does not."""
    if purpose == "training":
        return "training"
    if excluded:
        return "excluded_case"
    if void:
        return "void"
    if design in {"crossover", "parallel"} and arm == "with_ai" and phase == "unaided":
        return "call_before_ai"
    return None


def beside(analysed: AnalysedReadings, correction: str | None) -> Uncounted | None:
    """Return why a corrected or voided reading has a second row; None where it has none."""
    if analysed == "corrected":
        return "corrected" if correction == "correct" else None
    kinds: Mapping[str, Uncounted] = {"correct": "correction_not_used", "void": "void_not_used"}
    return kinds.get(correction or "")


def repeats_alone(counted: Mapping[str, Place]) -> set[str]:
    """Return the readings, by id, that are repeats whose first is not among the counted."""
    firsts = {place[:3] for place in counted.values() if place.occasion == 1}
    return {
        reading
        for reading, place in counted.items()
        if place.occasion > 1 and place[:3] not in firsts
    }
