"""From a call and a confidence to the malignancy score that the analysis uses."""

from typing import Literal, get_args

from app.domain.sentences import said

Diagnosis = Literal["BCC", "SK"]
DIAGNOSES: tuple[Diagnosis, ...] = get_args(Diagnosis)

NAMES: dict[Diagnosis, str] = {
    "BCC": said("Basal cell carcinoma"),
    "SK": said("Seborrheic keratosis"),
}


def malignancy_score(call: Diagnosis, confidence: int) -> float:
    """Score of a call: 0 to 1, higher means BCC.

    `confidence` is 0 to 100 per cent in the call itself; 0 puts both calls at one half, 100 at
    the ends. The call is kept beside the score, so a half never has to be read as a call.
    """
    # One division, so that 0.02 is written as 0.02.
    return (100 + confidence if call == "BCC" else 100 - confidence) / 200
