"""What the analysis of a study returns; `StudyAnalysis.json()` is its file form."""

from dataclasses import dataclass

from app.statistics.baseline_table import BaselineTable
from app.statistics.comparison import Comparison
from app.statistics.failures import Failure
from app.statistics.json_form import JsonValue, as_json
from app.statistics.mrmc import Mrmc
from app.statistics.notes import Warning  # noqa: A004 - the word of the results
from app.statistics.reading_metrics import ModalityMetrics
from app.statistics.study_agreement import ModalityAgreement


@dataclass(frozen=True, slots=True)
class DataSummary:
    """What was analysed. `missing` counts the cells reader x case x modality without a reading."""

    sha256: str | None
    rows: int
    readers: int
    cases: int
    positives: int
    negatives: int
    missing: int


@dataclass(frozen=True, slots=True)
class ReaderAnalysis:
    """One reader: each modality on its own, and the comparison of the two."""

    reader: str
    simulated: bool
    modalities: dict[str, ModalityMetrics]
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The readers' results on the cases of one subgroup."""

    value: str
    data: DataSummary
    readers: tuple[ReaderAnalysis, ...]
    mrmc: Mrmc | None


@dataclass(frozen=True, slots=True)
class Subgroups:
    """Results per value of one characteristic of the cases; no test between subgroups is made."""

    column: str
    values: tuple[Subgroup, ...]


@dataclass(frozen=True, slots=True)
class StudyAnalysis:
    """All results of a study; `json()` is its file form."""

    data: DataSummary
    positive: str
    negative: str
    modalities: tuple[str, ...]
    threshold: float | None
    readers: tuple[ReaderAnalysis, ...]
    model: ModalityMetrics | None
    mrmc: Mrmc | None
    agreement: dict[str, ModalityAgreement]
    failures: tuple[Failure, ...]
    subgroups: Subgroups | None
    baseline: BaselineTable | None
    warnings: tuple[Warning, ...]

    def json(self) -> dict[str, JsonValue]:
        """Floats unrounded, null where undefined, differences comparison minus baseline."""
        value = as_json(self)
        if not isinstance(value, dict):
            raise TypeError("A study's results are an object.")
        return value
