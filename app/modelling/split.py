"""Training, validation and test part: by patient, stratified by class, seeded; or by hand.

The validation part is a share of the training part by the same rule. It sets temperature and
penalty, so that the test part is measured once and nothing is chosen on it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.domain.errors import InvalidInput, Problem
from app.modelling.labelled_images import LabelledImages

Part = Literal["train", "validation", "test"]
COLUMN = "split"
VALIDATION_FRACTION = 0.1  # of the training part's patients
_PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Split:
    """The part of each image, in the order of the table, and how it was chosen."""

    parts: tuple[Part, ...]
    chosen_by: str

    def indices(self, *parts: Part) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """Positions of the images of these parts. (n,)."""
        return np.flatnonzero(np.isin(self.parts, parts))


def split_by_patient(
    diagnoses: Sequence[str], groups: Sequence[str], *, test_fraction: float, seed: int
) -> Split:
    """Draw the three parts; raises InvalidInput where there are too few patients.

    Strata are patients with BCC only, with SK only, and with both. Of each, a share is drawn.
    """
    rng = np.random.default_rng(seed)
    strata = _strata(diagnoses, groups)
    test = _drawn(strata, test_fraction, rng, set())
    validation = _drawn(strata, VALIDATION_FRACTION, rng, test)
    split = Split(
        tuple(_part(group, test, validation) for group in groups),
        f"by patient, stratified by diagnosis, {test_fraction:g} for testing, seed {seed}",
    )
    _check_parts(split, diagnoses, groups)
    return split


def split_by_hand(
    read: LabelledImages, groups: Sequence[str], *, seed: int, column: str = COLUMN
) -> Split:
    """Take the parts from the table's column; InvalidInput lists everything wrong with them.

    Where the table names no validation part, it is drawn from the training part.
    """
    problems: list[Problem] = []
    parts: list[Part] = []
    for image in read.images:
        entry = image.cells.get(column, "")
        part = _PARTS.get(entry.casefold())
        if part is None:
            sentence = f"'{entry}' is none of train, validation, test; fill it in or rename column"
            problems.append(Problem(read.table, image.row, column, sentence))
        parts.append(part or "train")
    problems += _in_two_parts(read, groups, parts, column)
    if problems:
        raise InvalidInput(f"{read.table}: the split cannot be used as it stands.", problems)
    diagnoses = [image.diagnosis for image in read.images]
    if "validation" not in parts:
        parts = _with_validation(parts, diagnoses, groups, seed)
    split = Split(tuple(parts), f"by hand, column {column} of the table")
    _check_parts(split, diagnoses, groups)
    return split


def folds_by_patient(
    diagnoses: Sequence[str], groups: Sequence[str], *, folds: int, seed: int
) -> tuple[Split, ...]:
    """Give one split for each fold: every patient is tested exactly once."""
    rng = np.random.default_rng([seed, folds])
    strata = _strata(diagnoses, groups)
    number: dict[str, int] = {}
    for stratum in strata.values():
        for place, group in enumerate(rng.permutation(stratum).tolist()):
            number[group] = place % folds
    splits: list[Split] = []
    for fold in range(folds):
        test = {group for group, of in number.items() if of == fold}
        validation = _drawn(strata, VALIDATION_FRACTION, rng, test)
        parts: list[Part] = [_part(group, test, validation) for group in groups]
        split = Split(tuple(parts), f"fold {fold + 1} of {folds}, by patient, seed {seed}")
        _check_parts(split, diagnoses, groups)
        splits.append(split)
    return tuple(splits)


def _strata(diagnoses: Sequence[str], groups: Iterable[str]) -> dict[str, list[str]]:
    """Patients by the diagnoses they have, in the order of the table."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for group, diagnosis in zip(groups, diagnoses, strict=True):
        found[group].add(diagnosis)
    strata: defaultdict[str, list[str]] = defaultdict(list)
    for group, has in found.items():
        strata["+".join(sorted(has))].append(group)
    return {name: strata[name] for name in sorted(strata)}


def _drawn(
    strata: dict[str, list[str]], fraction: float, rng: np.random.Generator, taken: set[str]
) -> set[str]:
    """Draw a share of the patients who are not taken, at least one with either class alone."""
    drawn: set[str] = set()
    for name, patients in strata.items():
        free = [patient for patient in patients if patient not in taken]
        least = 0 if "+" in name else 1
        count = max(least, round(fraction * len(free)))
        drawn.update(rng.permutation(free)[:count].tolist())
    return drawn


def _part(group: str, test: set[str], validation: set[str]) -> Part:
    if group in test:
        return "test"
    return "validation" if group in validation else "train"


def _with_validation(
    parts: list[Part], diagnoses: Sequence[str], groups: Sequence[str], seed: int
) -> list[Part]:
    test = {group for group, part in zip(groups, parts, strict=True) if part == "test"}
    rng = np.random.default_rng(seed)
    validation = _drawn(_strata(diagnoses, groups), VALIDATION_FRACTION, rng, test)
    return [_part(group, test, validation) for group in groups]


def _in_two_parts(
    read: LabelledImages, groups: Sequence[str], parts: Sequence[Part], column: str
) -> Iterable[Problem]:
    """Give a problem for each image whose patient stands in another part further up."""
    first: dict[str, tuple[Part, int]] = {}
    for image, group, part in zip(read.images, groups, parts, strict=True):
        earlier, row = first.setdefault(group, (part, image.row))
        if earlier != part:
            sentence = (
                f"{group.replace(':', ' ', 1)} is in {part} here and in {earlier} in row {row}; "
                "all images of a patient belong in one part"
            )
            yield Problem(read.table, image.row, column, sentence)


def _check_parts(split: Split, diagnoses: Sequence[str], groups: Sequence[str]) -> None:
    """Refuse a split in which a part lacks a class."""
    for diagnosis in ("BCC", "SK"):
        if diagnosis not in diagnoses:
            raise InvalidInput(
                f"No image has the diagnosis {diagnosis}: a model learns to tell BCC from SK, and "
                "needs images of both. Add rows with that diagnosis to the table."
            )
        held = [
            (group, part)
            for group, part, has in zip(groups, split.parts, diagnoses, strict=True)
            if has == diagnosis
        ]
        for part, purpose in (("train", "learning"), ("validation", "calibrating"), ("test", "")):
            if part not in {of for _, of in held}:
                count = len({group for group, _ in held})
                raise InvalidInput(
                    f"Too few patients with {diagnosis} to split: of {count}, none is left for "
                    f"{purpose or 'testing'}. Each class needs at least three patients, better "
                    "thirty; add cases or another split."
                )
