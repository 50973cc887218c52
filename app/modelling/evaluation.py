"""What an evaluation finds, and the JSON of it: unrounded, null where undefined with a warning."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.modelling.cohorts import SetAside
from app.modelling.map_checks import MapChecks
from app.modelling.wrong_calls import Medians, WrongCall
from app.statistics.json_form import as_json, collect_warnings, merged
from app.statistics.model_cohort import CohortAccuracy
from app.statistics.model_subgroups import CohortParts
from app.statistics.notes import Note, Warning  # noqa: A004 - the word of the results

POSITIVE, NEGATIVE = "BCC", "SK"


@dataclass(frozen=True)
class EvaluatedModel:
    """Which model: two with the same hash give the same predictions."""

    folder: str
    name: str
    weights_sha256: str
    backbone: str
    preprocessing: str
    threshold: float
    map_scale: float
    map_grid: tuple[int, int]
    demonstration: bool
    training_images_sha256: str | None
    device: str


@dataclass(frozen=True)
class EvaluatedData:
    """Which images, and how their diagnoses were made, for each class."""

    table: str
    table_sha256: str
    images_sha256: str
    images: int
    patients: int
    synthetic_images: int
    diagnosis_sources: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class EvaluatedCohort:
    """One cohort: accuracy, parts, checks of the maps, wrong calls."""

    accuracy: CohortAccuracy
    subgroups: Mapping[str, CohortParts]
    maps: MapChecks | None
    wrong_images: int
    reasons: Mapping[str, int]  # wrong calls by a person's reason
    measures: Mapping[str, Medians]  # of right and of wrong calls
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """Everything that `reread evaluate` writes."""

    code: Mapping[str, str | bool | None]
    model: EvaluatedModel
    data: EvaluatedData
    cohorts: Mapping[str, EvaluatedCohort]
    set_aside: tuple[SetAside, ...]
    wrong: tuple[WrongCall, ...]
    positive: str = POSITIVE
    negative: str = NEGATIVE
    notes: tuple[Note, ...] = field(default=())

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """Every remark with its place."""
        return merged(list(collect_warnings(self)))

    def text(self) -> str:
        """Return the JSON text; the same evaluation gives the same bytes."""
        found: Any = as_json(self)
        found["warnings"] = [as_json(warning) for warning in self.warnings]
        return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
