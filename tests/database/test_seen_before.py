"""Pictures seen before: found by the database, and no study opens over them in silence."""

import csv
import hashlib
import io
import random
import zipfile
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from app.actions.check_seen_before import (
    SAME_PICTURE,
    SeenBefore,
    acknowledge_seen_before,
    look_for_seen_before,
)
from app.actions.design_study import NotReady, create_study, find_study, open_study
from app.actions.register_training import register_training_images
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput, NotAllowed
from app.domain.image_quality import ImageQuality
from app.domain.training_images import FILE
from app.image_quality import hash_distance, measure
from tests.conftest import Cast, import_files, picture, score_by_hand
from tests.reading.steps import superuser
from tests.web.site import Site

HEADER = ("image", "split", "sha256", "perceptual_hash", "patient_sha256")


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def write_list(folder: Path, *rows: tuple[str, ...], header: tuple[str, ...] = HEADER) -> Path:
    with (folder / FILE).open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return folder


def training_row(
    name: str, *, sha256: str = "", likeness: int = 0, patient: str = "", split: str = "train"
):
    return (name, split, sha256 or digest(name), f"{likeness:016x}", patient and digest(patient))


def register(cast: Cast, folder: Path, *rows: tuple[str, ...]) -> int | None:
    model = cast.reload().model_version_id
    assert model is not None
    return register_training_images(
        cast.database, model_version=model, folder=write_list(folder, *rows)
    )


def look(cast: Cast, account: Account | None = None) -> SeenBefore:
    with cast.begin(Role.COORDINATOR, account or cast.cora) as connection:
        return look_for_seen_before(connection, study=cast.reload())


def acknowledge(cast: Cast, seen: SeenBefore, reason: str = "They were taken years later.") -> int:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        return acknowledge_seen_before(
            connection,
            study=cast.study,
            matches_sha256=seen.matches_sha256,
            reason=reason,
            by=cast.cora,
        )


def open_it(cast: Cast) -> None:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        open_study(connection, study=cast.reload(), by=cast.cora)


def hashes(cast: Cast) -> dict[str, int]:
    """Case code -> hash of its picture."""
    with superuser(cast) as owner:
        found = owner.execute(
            """SELECT c.code, i.perceptual_hash::text FROM image i
               JOIN study_case c ON c.id = i.case_id WHERE i.study_id = %s""",
            [cast.study.id],
        ).fetchall()
    return {code: int(bits, 2) for code, bits in found}


def bring(cast: Cast, account: Account, code: str, cases: list[tuple[str, str, int]]) -> UUID:
    """A study of this account's; `cases` as (case, patient, number of the picture)."""
    with cast.begin(Role.COORDINATOR, account) as connection:
        create_study(connection, code=code, title=code, by=account)
        study = find_study(connection, code=code)
    table, pack = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    writer.writerow(["case_id", "image", "diagnosis", "patient_id"])
    with zipfile.ZipFile(pack, "w") as archive:
        for case, patient, number in cases:
            writer.writerow([case, f"{case}.jpg", "BCC", patient])
            archive.writestr(f"{case}.jpg", picture(number))
    import_files(
        cast.database, cast.storage, study, (table.getvalue().encode(), pack.getvalue()), by=account
    )
    return study.id


@pytest.fixture
def scored(draft: Cast) -> Cast:
    score_by_hand(draft.database, draft.storage, draft.study)
    return draft


# ---------------------------------------------------------------- what is stored


def test_an_imported_image_keeps_its_numbers_and_the_digest_of_its_file(draft: Cast) -> None:
    with superuser(draft) as owner:
        row = owner.execute(
            """SELECT file_sha256, sharpness, shorter_side, luminance, dark_share, light_share,
                   contrast FROM image i JOIN study_case c ON c.id = i.case_id
               WHERE c.code = 'c002'"""
        ).fetchone()
    from PIL import Image

    assert row[0] == digest(picture(2))
    assert ImageQuality(*row[1:]) == measure(Image.open(io.BytesIO(picture(2))))


def test_an_image_is_measured_as_a_whole_or_not_at_all(draft: Cast) -> None:
    with superuser(draft) as owner, pytest.raises(psycopg.errors.CheckViolation):
        owner.execute(
            """INSERT INTO image (study_id, case_id, position, modality, storage_key, sha256,
                   width, height, synthetic, sharpness)
               SELECT study_id, case_id, 2, modality, 'k', sha256, 9, 9, false, 3
               FROM image LIMIT 1"""
        )


def test_a_training_list_is_registered_once_and_never_changes(scored: Cast, tmp_path: Path) -> None:
    rows = [training_row(f"t{n}.jpg", likeness=n, patient="P1") for n in range(3)]
    assert register(scored, tmp_path, *rows) == 3
    assert register(scored, tmp_path, *rows) == 3  # the worker starts again
    seen = look(scored)
    assert seen.training is not None
    assert seen.training.images == 3
    with pytest.raises(Conflict, match="not the list that this model version was registered with"):
        register(scored, tmp_path, *rows[:2])
    assert look(scored).training == seen.training


def test_a_model_without_a_list_says_that_nothing_is_known(scored: Cast, tmp_path: Path) -> None:
    model = scored.reload().model_version_id
    assert model is not None
    found = register_training_images(scored.database, model_version=model, folder=tmp_path)
    assert found is None
    assert look(scored).training is None


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("a.jpg", "train", "12", "0" * 16, ""), 'row 2, column sha256: "12" is not a SHA-256'),
        (("a.jpg", "train", "0" * 64, "0" * 15, ""), "column perceptual_hash"),
        (("a.jpg", "train", "0" * 64, "0" * 16, "P1"), "column patient_sha256"),
        (("", "train", "0" * 64, "0" * 16, ""), "column image"),
        (("a.jpg", "", "0" * 64, "0" * 16, ""), "column split"),
    ],
)
def test_a_damaged_list_is_refused_by_row_and_column_and_nothing_is_stored(
    scored: Cast, tmp_path: Path, row: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        register(scored, tmp_path, row)
    assert sentence in str(refused.value)
    assert look(scored).training is None


def test_a_list_without_a_column_or_with_an_image_twice_is_refused(
    scored: Cast, tmp_path: Path
) -> None:
    twice = training_row("a.jpg")
    with pytest.raises(InvalidInput, match="row 3, column image: the image stands in row 2 too"):
        register(scored, tmp_path, twice, twice)
    write_list(tmp_path, ("a.jpg", "train"), header=("image", "split"))
    with pytest.raises(InvalidInput, match="column sha256: the column is missing"):
        register_training_images(
            scored.database, model_version=scored.reload().model_version_id, folder=tmp_path
        )


def test_a_list_that_is_not_what_its_digest_says_is_not_stored(scored: Cast) -> None:
    model = scored.reload().model_version_id
    insert = "INSERT INTO training_list (model_version_id, images, list_sha256) VALUES (%s, 1, %s)"
    with (
        pytest.raises(Conflict, match="not those their digest"),
        scored.begin(Role.WORKER, None) as connection,
    ):
        connection.execute(insert, [model, "0" * 64])


def test_nothing_joins_a_list_afterwards(scored: Cast, tmp_path: Path) -> None:
    register(scored, tmp_path, training_row("t.jpg"))
    with superuser(scored) as owner, pytest.raises(psycopg.Error, match="once and as a whole"):
        owner.execute(
            """INSERT INTO training_image SELECT model_version_id, 'more.jpg', split, sha256,
                   perceptual_hash, patient_sha256 FROM training_image"""
        )


# ---------------------------------------------------------------- what is found


def test_a_picture_of_the_model_is_found_by_its_file_and_by_its_likeness(
    scored: Cast, tmp_path: Path
) -> None:
    mine = hashes(scored)
    near = mine["c001"] ^ 0b111111  # six bits away
    far = mine["c002"] ^ 0b1111111  # seven
    register(
        scored,
        tmp_path,
        training_row("same-file.jpg", sha256=digest(picture(0)), likeness=mine["c000"]),
        training_row("alike.jpg", likeness=near, split="test"),
        training_row("other.jpg", likeness=far),
    )
    found = look(scored).of_kind("training")
    assert [(m.case_code, m.training_image, m.split, m.same_file, m.distance) for m in found] == [
        ("c000", "same-file.jpg", "train", True, 0),
        ("c001", "alike.jpg", "test", False, SAME_PICTURE),
    ]


def test_the_search_by_bands_finds_what_comparing_every_pair_finds(
    scored: Cast, tmp_path: Path
) -> None:
    chance = random.Random(5)  # noqa: S311 - made-up hashes
    mine = hashes(scored)
    made = {}
    for number in range(400):
        bits = chance.sample(range(64), chance.randrange(12))
        likeness = chance.choice(list(mine.values()))
        for bit in bits:
            likeness ^= 1 << bit
        made[f"t{number}"] = likeness
    register(scored, tmp_path, *(training_row(name, likeness=made[name]) for name in made))
    found = {(m.case_code, m.training_image) for m in look(scored).of_kind("training")}
    expected = {
        (code, name)
        for code, here in mine.items()
        for name, there in made.items()
        if hash_distance(here, there) <= SAME_PICTURE
    }
    assert found == expected
    assert len(expected) > 100


def test_a_patient_of_the_model_is_found_by_the_hash_of_the_id(
    scored: Cast, tmp_path: Path
) -> None:
    bring(scored, scored.cora, "patients", [("a", "P 1", 50), ("b", "P 2", 51), ("c", "", 52)])
    with scored.begin(Role.COORDINATOR, scored.cora) as connection:
        study = find_study(connection, code="patients")
        connection.execute(
            "UPDATE study SET model_version_id = %s WHERE id = %s",
            [scored.reload().model_version_id, study.id],
        )
    rows = [training_row(f"t{n}", likeness=n, patient="P 1", split=s) for n, s in enumerate("ab")]
    register(scored, tmp_path, *rows, training_row("t9", likeness=9, patient="P 3"))
    with scored.begin(Role.COORDINATOR, scored.cora) as connection:
        study = find_study(connection, code="patients")
        (match,) = look_for_seen_before(connection, study=study).of_kind("patient")
    assert (match.case_code, match.pictures, match.split) == ("a", 2, "a, b")


def test_the_same_picture_in_two_cases_is_found_also_when_it_was_encoded_again(
    draft: Cast,
) -> None:
    from PIL import Image

    original = Image.open(io.BytesIO(picture(77, (300, 300)))).resize((600, 600))
    table = "case_id,image,diagnosis,patient_id\na,a.jpg,BCC,P1\nb,b.jpg,SK,P1\n"
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w") as archive:
        for name, quality in (("a.jpg", 90), ("b.jpg", 60)):
            out = io.BytesIO()
            original.save(out, "JPEG", quality=quality)
            archive.writestr(name, out.getvalue())
    files = table.encode(), pack.getvalue()
    import_files(draft.database, draft.storage, draft.study, files, by=draft.cora)
    seen = look(draft)
    (match,) = seen.of_kind("twice")
    assert {match.case_code, match.other_case_code} == {"a", "b"}
    assert match.same_file is False
    assert (seen.comparable.patients_with_several_cases, seen.comparable.cases_of_these) == (1, 2)


def test_a_picture_of_another_study_is_told_without_naming_a_foreign_one(draft: Cast) -> None:
    bring(draft, draft.olga, "olgas", [("x", "", 1)])
    bring(draft, draft.cora, "coras", [("x", "", 1), ("y", "", 60)])
    (found,) = look(draft).elsewhere
    assert (found.case_code, found.studies, found.codes) == ("c001", 2, ["coras"])
    assert found.shared_readers == 0
    with superuser(draft) as owner:
        owner.execute(
            """INSERT INTO enrolment (study_id, reader_id)
               SELECT id, %s FROM study WHERE code = 'olgas'""",
            [draft.rita.id],
        )
    assert look(draft).elsewhere[0].shared_readers == 1


def test_a_coordinator_learns_nothing_of_a_study_that_is_not_theirs(
    scored: Cast, tmp_path: Path
) -> None:
    register(scored, tmp_path, training_row("t", sha256=digest(picture(0))))
    bring(scored, scored.olga, "olgas", [("x", "", 1)])
    assert look(scored).matches
    with scored.begin(Role.COORDINATOR, scored.olga) as connection:
        for function in ("seen_before_in", "seen_elsewhere"):
            found = connection.execute(f"SELECT * FROM {function}(%s)", [scored.study.id])  # noqa: S608
            assert found.fetchall() == []


# ---------------------------------------------------------------- opening


@pytest.fixture
def matched(scored: Cast, tmp_path: Path) -> Cast:
    """A draft that is ready but for one picture the model has learned from."""
    register(scored, tmp_path, training_row("seen.jpg", sha256=digest(picture(3))))
    return scored


def test_a_study_with_matches_does_not_open_before_somebody_says_why_they_may_stay(
    matched: Cast,
) -> None:
    with pytest.raises(NotReady, match="1 pictures or patients have been seen before"):
        open_it(matched)
    assert acknowledge(matched, look(matched)) == 1
    open_it(matched)
    assert matched.reload().state == "open"
    said = look(matched).acknowledged
    assert said is not None
    assert (said.reason, said.author_name) == ("They were taken years later.", "Cora")


@pytest.mark.parametrize("replica", [False, True], ids=["", "without triggers"])
def test_nor_does_the_superuser_open_it(matched: Cast, *, replica: bool) -> None:
    with (
        pytest.raises(psycopg.Error, match="nobody has said why its 1 pictures"),
        superuser(matched, actor=matched.cora, replica=replica) as owner,
    ):
        owner.execute("UPDATE study SET state = 'open', opened_by = %s", [matched.cora.id])


def test_a_word_on_other_matches_does_not_count(matched: Cast) -> None:
    acknowledge(matched, look(matched))
    bring(matched, matched.cora, "coras", [("x", "", 90)])
    earlier = look(matched)
    with superuser(matched) as owner:  # a second case with the picture of the first
        owner.execute(
            """WITH c AS (INSERT INTO study_case (study_id, code) VALUES (%(s)s, 'more')
                          RETURNING id)
               INSERT INTO image (study_id, case_id, position, modality, storage_key, sha256,
                   width, height, synthetic, file_sha256, perceptual_hash, sharpness,
                   shorter_side, luminance, dark_share, light_share, contrast)
               SELECT study_id, c.id, 1, modality, 'again', repeat('a', 64), width, height,
                   synthetic, file_sha256, perceptual_hash, sharpness, shorter_side, luminance,
                   dark_share, light_share, contrast
               FROM image, c WHERE study_id = %(s)s LIMIT 1""",
            {"s": matched.study.id},
        )
    now = look(matched)
    assert len(now.matches) > len(earlier.matches)
    assert now.must_be_acknowledged
    with pytest.raises(Conflict, match="not those you looked at"):
        acknowledge(matched, earlier)


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 2001])
def test_an_acknowledgement_needs_words(matched: Cast, reason: str) -> None:
    with pytest.raises(InvalidInput, match="Say why"):
        acknowledge(matched, look(matched), reason)


def test_only_a_coordinator_of_the_study_acknowledges(matched: Cast) -> None:
    seen = look(matched)
    statement = """INSERT INTO seen_before_acknowledgement (study_id, matches_sha256, reason)
                   VALUES (%s, %s, 'fine')"""
    values = [matched.study.id, seen.matches_sha256]
    with (
        pytest.raises(NotAllowed, match="Only a coordinator"),
        matched.begin(Role.COORDINATOR, matched.olga) as connection,
    ):
        connection.execute(statement, values)
    with (
        pytest.raises(psycopg.Error, match="Only a coordinator"),
        superuser(matched, actor=matched.rita) as owner,
    ):
        owner.execute(
            statement.replace("reason)", "reason, author, matches, made_at)").replace(
                "'fine')", "'fine', %s, 1, now())"
            ),
            [*values, matched.cora.id],
        )


def test_an_acknowledgement_stands_in_the_studys_log(matched: Cast) -> None:
    acknowledge(matched, look(matched), "Known twins.")
    with superuser(matched) as owner:
        (payload,) = owner.execute(
            """SELECT payload::jsonb FROM audit_event
               WHERE chain = %s AND action = 'seen_before_acknowledgement.insert'""",
            [matched.study.id],
        ).fetchone()
    assert (payload["reason"], payload["author"]) == ("Known twins.", str(matched.cora.id))


def test_a_study_without_matches_opens_as_ever(scored: Cast, tmp_path: Path) -> None:
    register(scored, tmp_path, training_row("t", likeness=1))
    open_it(scored)
    assert scored.reload().state == "open"


def test_the_overview_says_when_somebody_reads_the_same_picture_in_two_studies(
    scored: Cast,
) -> None:
    """The AI's opinion there would come before the unaided call here."""
    bring(scored, scored.olga, "olgas", [("x", "", 1)])
    cora = Site(scored).browser(scored.cora)
    assert "is also in another study" in cora.get("/studies/bcc-sk").text
    assert "is also read in another study" not in cora.get("/studies/bcc-sk").text
    with superuser(scored) as owner:
        owner.execute(
            """INSERT INTO enrolment (study_id, reader_id)
               SELECT id, %s FROM study WHERE code = 'olgas'""",
            [scored.rita.id],
        )
    page = cora.get("/studies/bcc-sk").text
    assert "1 of these pictures is also read in another study by a reader of this one" in page
