"""What a generated lesion shows, drawn at random given its diagnosis.

The two diagnoses overlap on purpose: a share of the lesions is atypical (a pigmented
carcinoma, an irritated keratosis), so that no reader and no model is always right.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.synthetic.texture import happens

Diagnosis = Literal["BCC", "SK"]
Modality = Literal["dermoscopic", "clinical"]

SITES = ("face", "nose", "cheek", "forehead", "scalp", "neck", "chest", "back", "arm", "leg")
FEATURES = ("vessels", "nests", "ulcer", "rolled", "pearly", "milia", "comedo", "ridges")

# How often each feature shows: (typical BCC, typical SK). Orders of magnitude as taught in
# dermoscopy courses, not estimates from data.
FREQUENCY: dict[str, tuple[float, float]] = {
    "vessels": (0.68, 0.14),
    "nests": (0.42, 0.08),
    "ulcer": (0.38, 0.12),
    "rolled": (0.45, 0.08),
    "pearly": (0.66, 0.14),
    "milia": (0.07, 0.55),
    "comedo": (0.08, 0.52),
    "ridges": (0.10, 0.62),
}
ATYPICAL_SHARE = 0.22


@dataclass(frozen=True)
class Attributes:
    """One lesion: strengths run from 0 (absent) to 1; lengths are image fractions."""

    diagnosis: Diagnosis
    modality: Modality
    fitzpatrick: int
    site: str
    atypical: bool
    pigment: float  # 0 pink, 1 dark brown
    sharpness: float  # 0 blurred border, 1 cut out
    elevation: float
    radius: float
    centre: tuple[float, float]
    strengths: dict[str, float]

    def shows(self, feature: str) -> bool:
        """Whether the feature is strong enough to be named in a caption."""
        return self.strengths[feature] > 0


def draw_attributes(
    rng: np.random.Generator,
    *,
    diagnosis: Diagnosis | None = None,
    modality: Modality | None = None,
) -> Attributes:
    """Draw one lesion; a diagnosis or modality that is not given is drawn evenly."""
    # Every draw happens whatever was given, so that the rest of the lesion does not change.
    drawn_diagnosis: Diagnosis = "BCC" if happens(rng, 0.5) else "SK"
    drawn_modality: Modality = "dermoscopic" if happens(rng, 0.5) else "clinical"
    diagnosis = diagnosis or drawn_diagnosis
    modality = modality or drawn_modality
    column = 0 if diagnosis == "BCC" else 1
    atypical = happens(rng, ATYPICAL_SHARE)

    strengths: dict[str, float] = {}
    for feature in FEATURES:
        frequency = FREQUENCY[feature][column]
        if atypical:  # an atypical lesion shows either diagnosis's features about equally
            frequency = sum(FREQUENCY[feature]) / 2
        present = happens(rng, frequency)
        strengths[feature] = float(rng.uniform(0.3, 1.0)) if present else 0.0

    pigment_mean, sharpness_mean = ((0.24, 0.42), (0.62, 0.70))[column]
    if atypical:
        pigment_mean, sharpness_mean = 0.45, 0.56
    dermoscopic = modality == "dermoscopic"
    return Attributes(
        diagnosis=diagnosis,
        modality=modality,
        fitzpatrick=int(rng.choice(6, p=[0.14, 0.27, 0.26, 0.17, 0.10, 0.06])) + 1,
        site=SITES[int(rng.integers(len(SITES)))],
        atypical=atypical,
        pigment=float(np.clip(rng.normal(pigment_mean, 0.17), 0.02, 1.0)),
        sharpness=float(np.clip(rng.normal(sharpness_mean, 0.17), 0.1, 1.0)),
        elevation=float(rng.uniform(0.3, 1.0)),
        radius=float(rng.uniform(0.20, 0.34) if dermoscopic else rng.uniform(0.12, 0.27)),
        centre=(float(rng.uniform(0.36, 0.64)), float(rng.uniform(0.36, 0.64))),
        strengths=strengths,
    )
