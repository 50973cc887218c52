"""Photographs with their diagnoses: all problems at once, hashes, and one image in memory."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.errors import InvalidInput, NotFound
from app.modelling.labelled_images import read_labelled_images
from tests.modelling.conftest import Rows, nothing, patients, write_table

Cohort = Callable[[Rows], tuple[Path, Path]]


def test_every_image_comes_with_its_row_and_the_hash_of_its_file(cohort: Cohort) -> None:
    table, folder = cohort([row | {"hospital": "North"} for row in patients(3)])
    steps: list[tuple[int, int]] = []
    read = read_labelled_images(table, folder, lambda *step: steps.append(step))
    assert [image.image_name for image in read.images] == [row["image"] for row in patients(3)]
    third = read.images[2]
    assert (third.row, third.patient_id, third.diagnosis, third.age) == (4, "patient 1", "BCC", 41)
    assert (third.lesion_id, third.fitzpatrick) == (None, None)
    assert (third.width, third.height) == (80, 96)
    assert third.cells["hospital"] == "North"
    assert third.sha256 == hashlib.sha256((folder / "p01-0.png").read_bytes()).hexdigest()
    assert read.table_sha256 == hashlib.sha256(table.read_bytes()).hexdigest()
    assert steps[-1] == (6, 6)


def test_the_images_hash_depends_on_their_order_and_content(cohort: Cohort) -> None:
    table, folder = cohort(patients(2))
    before = read_labelled_images(table, folder, nothing).images_sha256
    write_table(table, patients(2)[::-1])
    assert read_labelled_images(table, folder, nothing).images_sha256 != before


def test_opened_images_are_decoded_in_the_order_asked_for(cohort: Cohort) -> None:
    table, folder = cohort(patients(2))
    read = read_labelled_images(table, folder, nothing)
    chosen = read.images[::-1]
    opened = [(image, picture.size) for image, picture in read.opened(chosen)]
    assert opened == [(image, (80, 96)) for image in chosen]


def test_all_that_must_be_mended_is_said_at_once_with_its_row(cohort: Cohort) -> None:
    rows = patients(3)
    table, folder = cohort(rows)
    (folder / rows[1]["image"]).write_bytes((folder / rows[1]["image"]).read_bytes()[:300])
    (folder / rows[3]["image"]).unlink()
    (folder / rows[4]["image"]).write_bytes((folder / rows[0]["image"]).read_bytes())
    write_table(table, [*rows[:5], rows[5] | {"diagnosis": "melanoma"}])
    with pytest.raises(InvalidInput, match=r"cases.csv has 4 things to mend") as refusal:
        read_labelled_images(table, folder, nothing)
    assert [problem.row for problem in refusal.value.problems] == [3, 5, 6, 7]
    said = [problem.sentence for problem in refusal.value.problems]
    assert "damaged or cut short" in said[0]
    assert "no JPEG or PNG file" in said[1]
    assert "same file as in row 2" in said[2]
    assert "neither basal cell carcinoma" in said[3]


def test_a_file_that_changes_meanwhile_is_refused(cohort: Cohort) -> None:
    table, folder = cohort(patients(2))
    read = read_labelled_images(table, folder, nothing)
    (folder / "p01-0.png").write_bytes((folder / "p00-0.png").read_bytes())
    with pytest.raises(InvalidInput, match=r"p01-0.png \(row 4\) was changed"):
        list(read.opened())


def test_a_table_or_folder_that_is_not_there_is_refused(cohort: Cohort, tmp_path: Path) -> None:
    table, folder = cohort(patients(1))
    with pytest.raises(NotFound, match="no file"):
        read_labelled_images(tmp_path / "other.csv", folder, nothing)
    with pytest.raises(InvalidInput, match="no such folder or ZIP file"):
        read_labelled_images(table, tmp_path / "elsewhere", nothing)
