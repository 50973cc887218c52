"""What the texts of a pack say of a study: counted from its log and its tables, nothing else.

Designs, amendments, exclusions and corrections stand in the log where the study has them.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from app.domain.counted import BESIDE, excluded_cases

Row = Mapping[str, Any]

# Events that only count readings are left out: readers.csv has their numbers.
NEEDED_ACTIONS = (
    "study_case.insert",
    "image.insert",
    "reference_diagnosis.insert",
    "membership.insert",
    "case_exclusion.insert",
    "case_readmission.insert",
    "protocol_version.insert",
    "washout_override.insert",
    "reading_correction.insert",
    "case_addition.insert",
    "seen_before_acknowledgement.insert",
    "study_model.insert",
    "consent_text.insert",
    "consent.insert",
)


# What happened to a study after its opening: name in study.json -> table of the log.
HISTORY = {
    "protocol_versions": "protocol_version",
    "exclusions": "case_exclusion",
    "readmissions": "case_readmission",
    "washout_overrides": "washout_override",
    "corrections": "reading_correction",
    "additions": "case_addition",
    "seen_before": "seen_before_acknowledgement",
}


def history_of(rows: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """Return what happened after opening, kind by kind, as the log holds it."""
    return {name: rows.get(table, []) for name, table in HISTORY.items()}


@dataclass(frozen=True)
class ReaderFacts:
    """One reader: how many cases were in the order, and how many calls were locked."""

    code: str
    simulated: bool
    assigned: int
    unaided: int
    aided: int
    years_experience: int | None = None  # as they stated; None where they were not asked
    specialty: str = ""
    training: str = ""


@dataclass(frozen=True)
class SeenBefore:
    """What a study shared with its model's training images or with itself, and why it stayed."""

    matches: int
    by_kind: Mapping[str, int] | None  # None: from before kinds were counted
    reason: str


@dataclass(frozen=True)
class Exclusion:
    """A case that was excluded, and why it was brought back, if it was."""

    case: str
    reason: str
    brought_back: str | None


@dataclass(frozen=True)
class StudyFacts:
    """A study in numbers and settings."""

    study: Row  # its row, as its last event in the log left it
    model: Row | None  # the model that readers saw
    software_version: str
    cases: int  # imported
    training: int  # of them
    images: int
    synthetic_images: int
    patients: int | None  # None where no case names its patient
    truth: Mapping[str, int]  # diagnosis -> cases
    sources: tuple[tuple[str, str, int], ...]  # diagnosis, source, cases
    excluded: tuple[Exclusion, ...]  # those that were undone too
    versions: tuple[Row, ...]  # of the protocol, the first one first
    overrides: tuple[tuple[str, int, str], ...]  # reader, days of washout, reason
    corrections: tuple[tuple[str, str], ...]  # void or correct, reason
    copied: int  # cases that were copied from the study that the study's row names
    additions: tuple[tuple[int, str], ...]  # cases added to the open study, reason
    seen_before: tuple[SeenBefore, ...]
    # Images in the list that the model was registered with (0: no list) and its SHA-256; None where
    # the log is older than this.
    training_list: tuple[int, str] | None
    never_added: int  # cases that were imported while it was open and were never added
    readers: tuple[ReaderFacts, ...]
    results: Row  # results.json
    adjudicated: int = 0  # diagnoses that adjudicators recorded, after the import
    with_ai: int = 0  # places of the orders, counted cases alone, that are read with the model
    without_ai: int = 0
    without_patient: int = 0  # cases that name no patient
    consents: tuple[int, ...] = ()  # how many accepted version 1, 2, ... of the consent text
    uncounted: tuple[tuple[str, int], ...] = ()  # why a call does not count, and how many

    @property
    def design(self) -> str:
        """The design; studies of before designs are sequential."""
        return str(self.study.get("design", "sequential"))

    @property
    def expected(self) -> int:
        """Readings that count once everybody has made every one that was asked for.

        In the sequential designs both calls of a case count, before and after the model.
        """
        both = 2 if self.design in {"sequential", "hidden_share"} else 1
        return both * self.with_ai + self.without_ai

    @property
    def seed_sha256(self) -> str:
        """Digest of the seed as decimal digits: names it without telling it."""
        return hashlib.sha256(str(self.study["seed"]).encode()).hexdigest()

    @property
    def simulated(self) -> tuple[str, ...]:
        """The readers who are programs."""
        return tuple(reader.code for reader in self.readers if reader.simulated)


def study_facts(
    rows: Mapping[str, list[Row]],
    *,
    study: Row,
    models: Mapping[str, Row],
    readers: list[dict[str, str]],
    results: Row,
    places: Mapping[tuple[str, str], int],
    uncounted: Mapping[str, int],
    software_version: str,
) -> StudyFacts:
    """Count; `rows` are those of the log by table, `readers` the rows of readers.csv.

    `places` counts allocation.csv by case and arm, `uncounted` readings_not_counted.csv by reason.
    """
    members = rows.get("membership", [])
    adjudicators = {row["account_id"] for row in members if row["role"] == "adjudicator"}
    out = _not_counted(rows)
    arms = Counter[str]()
    for (case, arm), number in places.items():
        arms[arm] += 0 if case in out else number
    codes = {row["id"]: str(row["code"]) for row in rows.get("study_case", [])}
    truth = rows.get("reference_diagnosis", [])
    patients = {row["patient_code"] for row in rows.get("study_case", [])} - {None}
    undone = {row["exclusion_id"]: str(row["reason"]) for row in rows.get("case_readmission", [])}
    pseudonyms = {row["reader_uuid"]: row["reader_id"] for row in readers}
    return StudyFacts(
        study=study,
        model=models.get(str(study.get("model_version_id"))),
        software_version=software_version,
        cases=len(codes),
        training=sum(row.get("purpose") == "training" for row in rows.get("study_case", [])),
        images=len(rows.get("image", [])),
        synthetic_images=sum(bool(row["synthetic"]) for row in rows.get("image", [])),
        patients=len(patients) or None,
        truth=dict(sorted(Counter(str(row["diagnosis"]) for row in truth).items())),
        sources=_counted(Counter((row["diagnosis"], row["source"]) for row in truth)),
        excluded=tuple(
            Exclusion(codes[row["case_id"]], str(row["reason"]), undone.get(row["id"]))
            for row in rows.get("case_exclusion", [])
        ),
        versions=tuple(rows.get("protocol_version", [])),
        overrides=tuple(
            (pseudonyms.get(row["reader_id"], "a reader"), int(row["days"]), str(row["reason"]))
            for row in rows.get("washout_override", [])
        ),
        corrections=tuple(
            (str(row["kind"]), str(row["reason"])) for row in rows.get("reading_correction", [])
        ),
        additions=tuple(
            (int(row["cases"]), str(row["reason"])) for row in rows.get("case_addition", [])
        ),
        copied=sum(row.get("copied_from") is not None for row in rows.get("study_case", [])),
        seen_before=tuple(
            SeenBefore(int(row["matches"]), row.get("by_kind"), str(row["reason"]))
            for row in rows.get("seen_before_acknowledgement", [])
        ),
        training_list=_training_list(rows.get("study_model", []), study),
        never_added=sum(
            row.get("addition", 0) > len(rows.get("case_addition", []))
            for row in rows.get("study_case", [])
        ),
        readers=tuple(
            ReaderFacts(
                row["reader_id"],
                row["simulated"] == "yes",
                int(row["assigned"]),
                int(row["unaided"]),
                int(row["aided"]),
                int(row["years_experience"]) if row["years_experience"] else None,
                row["specialty"],
                row["training"],
            )
            for row in readers
        ),
        results=results,
        without_patient=sum(row["patient_code"] is None for row in rows.get("study_case", [])),
        consents=_consents(rows),
        adjudicated=sum(row.get("recorded_by") in adjudicators for row in truth),
        with_ai=arms["with_ai"],
        without_ai=arms["without_ai"],
        uncounted=tuple(sorted((why, n) for why, n in uncounted.items() if why not in BESIDE)),
    )


def _consents(rows: Mapping[str, list[Row]]) -> tuple[int, ...]:
    texts = sorted(rows.get("consent_text", []), key=lambda text: int(text["version"]))
    accepted = Counter(row["consent_text_id"] for row in rows.get("consent", []))
    return tuple(accepted[text["id"]] for text in texts)


def _not_counted(rows: Mapping[str, list[Row]]) -> set[str]:
    """Return the cases, as named at import, that are training or stay excluded."""
    excluded = excluded_cases(rows)
    return {
        str(row["code"])
        for row in rows.get("study_case", [])
        if row.get("purpose") == "training" or row["id"] in excluded
    }


def _training_list(bound: list[Row], study: Row) -> tuple[int, str] | None:
    for row in bound:
        its_own = row["model_version_id"] == study.get("model_version_id")
        if its_own and row.get("training_images") is not None:
            return int(row["training_images"]), str(row["training_list_sha256"])
    return None


def _counted(found: Counter[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    return tuple((*key, count) for key, count in sorted(found.items()))


def result(facts: StudyFacts, *path: str | int) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value of results.json by its path, None where it is not there."""
    value: Any = facts.results
    for step in path:
        if isinstance(value, list) and isinstance(step, int):
            items = cast("list[Any]", value)
            value = items[step] if step < len(items) else None
        elif isinstance(value, Mapping):
            value = cast("Mapping[str | int, Any]", value).get(step)
        else:
            return None
    return value
