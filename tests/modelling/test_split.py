"""Who learns and who is tested: by patient, stratified, seeded, or by the table's own column."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.errors import InvalidInput
from app.domain.image_quality import ImageQuality
from app.modelling.labelled_images import LabelledImages, read_labelled_images
from app.modelling.patients import groups_of, patient_sha256
from app.modelling.selection import select_images
from app.modelling.split import folds_by_patient, split_by_hand, split_by_patient
from tests.modelling.conftest import Rows, nothing, patients

Cohort = Callable[[Rows], tuple[Path, Path]]


def people(count: int) -> tuple[list[str], list[str]]:
    """Diagnoses and patients of so many people with one to three images each; some have both."""
    diagnoses: list[str] = []
    groups: list[str] = []
    for person in range(count):
        for image in range(1 + person % 3):
            both = person % 10 == 9 and image == 1
            diagnoses.append("BCC" if (person % 2 == 0) != both else "SK")
            groups.append(f"p{person}")
    return diagnoses, groups


def test_no_patient_is_in_two_parts_and_the_shares_hold_in_each_class() -> None:
    diagnoses, groups = people(200)
    split = split_by_patient(diagnoses, groups, test_fraction=0.1, seed=3)
    part_of = {}
    for group, part in zip(groups, split.parts, strict=True):
        assert part_of.setdefault(group, part) == part
    assert list(part_of.values()).count("test") == 20
    assert list(part_of.values()).count("validation") == 18
    tested = [part_of[f"p{person}"] == "test" for person in range(200) if person % 10 not in {9, 1}]
    assert sum(tested) in {16, 17}


def test_the_same_seed_gives_the_same_split_and_another_does_not() -> None:
    diagnoses, groups = people(60)
    first, again, other = (
        split_by_patient(diagnoses, groups, test_fraction=0.2, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.parts != other.parts
    assert sorted([*first.indices("train"), *first.indices("validation", "test")]) == [
        *range(len(groups))
    ]


def test_folds_test_every_patient_once() -> None:
    diagnoses, groups = people(40)
    folds = folds_by_patient(diagnoses, groups, folds=5, seed=1)
    tested = [index for fold in folds for index in fold.indices("test").tolist()]
    assert sorted(tested) == [*range(len(groups))]
    for fold in folds:
        within = {groups[index] for index in fold.indices("test")}
        assert within.isdisjoint(groups[index] for index in fold.indices("train", "validation"))


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_patients_are_refused_with_their_number(count: int) -> None:
    diagnoses = ["BCC"] * 20 + ["SK"] * count
    groups = [f"p{number}" for number in range(20 + count)]
    with pytest.raises(InvalidInput, match=f"Too few patients with SK to split: of {count}"):
        split_by_patient(diagnoses, groups, test_fraction=0.1, seed=1)


def test_a_class_without_images_is_refused() -> None:
    with pytest.raises(InvalidInput, match="No image has the diagnosis SK"):
        split_by_patient(["BCC"] * 9, [*"abcdefghi"], test_fraction=0.2, seed=1)


def by_hand(count: int) -> Rows:
    """Rows whose first patients are tested."""
    return [
        row | {"split": "test" if row["patient_id"] in {"patient 0", "patient 1"} else "Train"}
        for row in patients(count)
    ]


def read(cohort: Cohort, rows: Rows) -> LabelledImages:
    return read_labelled_images(*cohort(rows), nothing)


def test_a_split_by_hand_is_taken_as_it_is_and_validation_comes_from_training(
    cohort: Cohort,
) -> None:
    images = read(cohort, by_hand(8))
    groups, warnings = groups_of(images, "patient_id")
    split = split_by_hand(images, groups, seed=1)
    assert warnings == ()
    assert split.indices("test").tolist() == [0, 1, 2, 3]
    assert split.parts.count("validation") == 4
    assert "by hand" in split.chosen_by


def test_a_patient_in_both_parts_is_refused_with_both_rows(cohort: Cohort) -> None:
    rows = by_hand(8)
    rows[1]["split"] = "train"
    rows[5]["split"] = "maybe"
    images = read(cohort, rows)
    with pytest.raises(InvalidInput) as refusal:
        split_by_hand(images, groups_of(images, "patient_id")[0], seed=1)
    found = {(problem.row, problem.column): problem.sentence for problem in refusal.value.problems}
    assert "patient 0 is in train here and in test in row 2" in found[3, "split"]
    assert "'maybe' is none of train, validation, test" in found[7, "split"]


def test_a_missing_patient_is_a_group_of_its_own_with_a_warning(cohort: Cohort) -> None:
    rows = [row | {"hospital": "North"} for row in patients(3)]
    rows[0]["patient_id"] = rows[1]["patient_id"] = ""
    rows[0]["case_id"] = rows[1]["case_id"] = "one"
    images = read(cohort, rows)
    groups, (warning,) = groups_of(images, "patient_id")
    assert groups[0] == groups[1] == "case:one"
    assert "2 of 6 images have no patient_id" in warning
    assert set(groups_of(images, "hospital")[0]) == {"hospital:North"}
    with pytest.raises(InvalidInput, match="no column clinic to group by; it has image, case_id"):
        groups_of(images, "clinic")


def test_a_patient_is_listed_by_the_hash_of_the_id(cohort: Cohort) -> None:
    image = read(cohort, patients(1)).images[0]
    # printf 'patient 0' | sha256sum
    assert patient_sha256(image) == (
        "cb8297a3a73579be54b061d9c6cf433622c1cc8022de5486a2a160e9ff3f250a"
    )
    assert patient_sha256(replace(image, patient_id=None)) == ""


def test_flagged_images_are_kept_with_their_numbers_unless_asked(cohort: Cohort) -> None:
    images = read(cohort, [row | {"exclude": ""} for row in patients(2)])
    sharp = ImageQuality(900.0, 600, 120.0, 0.0, 0.0, 40.0)
    dark = replace(sharp, luminance=12.0)
    measured = [dark, sharp, sharp, sharp]
    images = replace(
        images,
        images=tuple(
            replace(image, quality=quality)
            for image, quality in zip(images.images, measured, strict=True)
        ),
    )
    kept = select_images(images, exclude_flagged=False)
    assert len(kept.used.images) == 4
    ((image, sentence),) = kept.flagged
    assert image.image_name == "p00-0.png"
    assert "mean luminance 12" in sentence
    left = select_images(images, exclude_flagged=True)
    assert [image.image_name for image in left.used.images] == [
        "p00-1.png",
        "p01-0.png",
        "p01-1.png",
    ]
    assert len(left.excluded_as_flagged) == 1


def test_rows_marked_to_be_excluded_are_left_out_and_unclear_marks_refused(cohort: Cohort) -> None:
    rows = [
        row | {"exclude": "yes" if number == 2 else ""} for number, row in enumerate(patients(2))
    ]
    selection = select_images(read(cohort, rows), exclude_flagged=False)
    assert [image.row for image in selection.excluded_by_hand] == [4]
    assert len(selection.used.images) == 3
    rows[0]["exclude"] = "perhaps"
    with pytest.raises(InvalidInput) as refusal:
        select_images(read(cohort, rows), exclude_flagged=False)
    assert [(p.row, p.column) for p in refusal.value.problems] == [(2, "exclude")]
