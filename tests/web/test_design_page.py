"""The design of a study in the browser: saved as a draft, amended when open, previewed, copied."""

import re
from dataclasses import replace

import pytest

from app.actions.design_study import create_study, design_of, find_study, open_study
from app.db import cases
from app.db.session import Role
from app.domain.errors import NotAllowed
from app.domain.study_design import StudyDesign
from app.storage import Storage
from tests.access.test_protection import study_digest
from tests.conftest import Cast, score_by_hand
from tests.reading.steps import close, exclude, superuser, unblind
from tests.web.site import Site

FORM = {
    "title": "BCC or SK",
    "instructions": "Look **first**.\n\n<script>x()</script>",
    "design": "crossover",
    "washout_days": "14",
    "unaided_only_percent": "20",
    "show_label": "true",
    "confidence_scale": "five_steps",
    "ask_management": "true",
    "repeats": "2",
    "cases_per_sitting": "50",
}


def design(cast: Cast, code: str = "bcc-sk") -> StudyDesign:
    from app.actions.design_study import find_study

    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        return design_of(connection, study=find_study(connection, code=code))


def test_a_draft_is_saved_as_often_as_one_likes(draft: Cast) -> None:
    cora = Site(draft).browser(draft.cora)
    assert cora.post("/studies/bcc-sk/design", data=FORM).status_code == 303
    assert design(draft) == StudyDesign(
        design="crossover",
        washout_days=14,
        show_probability=False,
        show_overlay=False,
        confidence_scale="five_steps",
        ask_management=True,
        repeats=2,
        cases_per_sitting=50,
    )
    hidden = {**FORM, "design": "hidden_share", "cases_per_sitting": ""}
    assert cora.post("/studies/bcc-sk/design", data=hidden).status_code == 303
    assert (design(draft).unaided_only_percent, design(draft).cases_per_sitting) == (20, None)
    page = cora.get("/studies/bcc-sk/design").text
    assert 'value="hidden_share" checked' in page
    assert "The draft is saved." not in page
    saved = cora.get(cora.post("/studies/bcc-sk/design", data=hidden).headers["location"])
    assert "The draft is saved." in saved.text


def test_a_preview_names_the_number_of_cases_that_a_reader_will_have(draft: Cast) -> None:
    cora = Site(draft).browser(draft.cora)
    cora.post("/studies/bcc-sk/design", data={**FORM, "design": "sequential"})
    assert "8 cases" in cora.get("/studies/bcc-sk/preview").text
    cora.post("/studies/bcc-sk/design", data=FORM)
    assert "16 cases" in cora.get("/studies/bcc-sk/preview").text, "two sessions of 6, and 2 again"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"design": "guess"}, "no design named guess"),
        ({"washout_days": "soon"}, "The washout is a whole number"),
        ({"washout_days": "366"}, "0 to 365"),
        ({"repeats": "-1"}, "whole number"),
        ({"design": "hidden_share", "unaided_only_percent": "60"}, "at most half"),
        ({"show_label": ""}, "has to show something"),
        ({"title": " "}, "1 to 200 characters"),
    ],
    ids=str,
)
def test_d11_a_setting_that_is_no_good_gets_its_sentence_and_changes_nothing(
    draft: Cast, wrong: dict[str, str], sentence: str
) -> None:
    cora = Site(draft).browser(draft.cora)
    before = design(draft)
    form = {key: value for key, value in {**FORM, **wrong}.items() if value != ""}
    answer = cora.post("/studies/bcc-sk/design", data=form)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert design(draft) == before


def test_d13_an_open_study_changes_by_an_amendment_with_its_reason_only(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    before = design(site.cast)
    words = {name: FORM[name] for name in ("title", "instructions", "cases_per_sitting")}
    assert cora.post("/studies/bcc-sk/design", data=words).status_code == 422, "no reason"
    answer = cora.post("/studies/bcc-sk/design", data={**words, "reason": "Sittings were long."})
    assert answer.status_code == 303
    after = design(site.cast)
    assert (after.design, after.repeats) == (before.design, before.repeats)
    assert after.cases_per_sitting == 50
    page = cora.get("/studies/bcc-sk/design").text
    assert "Sittings were long." in page
    assert "Version 2" in page


@pytest.mark.parametrize("step", [1, 2, 3])
def test_b1_a_preview_is_labelled_shows_no_ai_and_leaves_nothing(draft: Cast, step: int) -> None:
    score_by_hand(draft.database, draft.storage, draft.study, probability=0.8125)
    site = Site(draft)
    cora = site.browser(draft.cora)
    cora.post("/studies/bcc-sk/design", data=FORM)
    before = study_digest(draft)
    page = cora.get("/studies/bcc-sk/preview", params={"step": step})
    assert page.status_code == 200
    assert "PREVIEW" in page.text
    shown = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", page.text.split("<main")[1])
    assert "81" not in shown.replace("/static", "")
    assert "overlays" not in page.text
    assert study_digest(draft) == before


def test_i6_instructions_are_markdown_without_its_html(draft: Cast) -> None:
    cora = Site(draft).browser(draft.cora)
    cora.post("/studies/bcc-sk/design", data=FORM)
    page = cora.get("/studies/bcc-sk/preview").text
    assert "<strong>first</strong>" in page
    assert "<script>x" not in page


def test_a_copy_takes_the_settings_and_nothing_else(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    copy = {"new_code": "second", "new_title": "The second"}
    assert cora.post("/studies/bcc-sk/copy", data=copy).status_code == 303
    assert design(site.cast, "second") == design(site.cast)
    page = cora.get("/studies/second").text
    assert "being prepared" in page
    assert "Import cases" in page
    again = cora.post("/studies/bcc-sk/copy", data=copy)
    assert again.status_code == 409
    assert "already a study named" in again.text


def images_of(cast: Cast, code: str) -> list[tuple[object, ...]]:
    with superuser(cast) as owner:
        return owner.execute(
            """SELECT i.sha256, i.storage_key, c.code, c.purpose, d.diagnosis, d.source,
                   o.code AS was, d.recorded_by, i.mm_per_pixel
               FROM study s JOIN study_case c ON c.study_id = s.id
               JOIN image i ON i.case_id = c.id JOIN reference_diagnosis d ON d.case_id = c.id
               LEFT JOIN study_case o ON o.id = c.copied_from
               WHERE s.code = %s ORDER BY i.sha256""",
            [code],
        ).fetchall()


def test_b9_cases_come_along_under_new_codes_with_diagnoses_that_nobody_is_shown(
    site: Site,
) -> None:
    cast = site.cast
    exclude(cast)
    with superuser(cast) as owner:
        owner.execute("ALTER TABLE image DISABLE TRIGGER no_change")
        owner.execute("UPDATE image SET mm_per_pixel = 0.02")
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        owner.execute("ALTER TABLE image ENABLE ALWAYS TRIGGER no_change")
    cora = site.browser(cast.cora)
    assert "Its 5 cases come along" in cora.get("/studies/bcc-sk/design").text
    copy = {"new_code": "second", "new_title": "The second", "with_cases": "yes"}
    assert cora.post("/studies/bcc-sk/copy", data=copy).status_code == 303
    before = [row for row in images_of(cast, "bcc-sk") if row[2] != "c000"]
    after = images_of(cast, "second")
    assert [row[0] for row in after] == [row[0] for row in before], "the same pictures"
    assert {row[1] for row in after}.isdisjoint({row[1] for row in before}), "files of their own"
    assert [row[3:6] for row in after] == [row[3:6] for row in before]
    assert [row[6] for row in after] == [row[2] for row in before], "where each comes from"
    assert sorted(row[2] for row in after) == [f"case-{n:05}" for n in range(1, 6)]
    assert {row[7] for row in after} == {cast.cora.id}
    assert {row[8] for row in after} == {0.02}
    for row in after:
        assert cast.storage.get(row[1]) == cast.storage.get(
            next(old[1] for old in before if old[0] == row[0])
        )
    with superuser(cast) as owner:
        assert owner.execute(
            "SELECT copied_from, state FROM study WHERE code = 'second'"
        ).fetchone() == ("bcc-sk", "draft")
    page = cora.get("/studies/second/cases").text
    assert "5 cases with 5 images; 0 have a prediction" in page
    assert "c001" not in page


def test_b9_a_copy_with_cases_says_beforehand_which_study_is_unblinded_first(site: Site) -> None:
    cast, cora = site.cast, site.browser(site.cast.cora)
    said = "The cases are copies of those of <strong>bcc-sk</strong>"
    assert "unblinded only once this study is" in cora.get("/studies/bcc-sk/design").text
    copy = {"new_code": "second", "new_title": "The second", "with_cases": "yes"}
    assert cora.post("/studies/bcc-sk/copy", data=copy).status_code == 303
    assert said in cora.get("/studies/second").text
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        second = replace(cast, study=find_study(connection, code="second"))
    score_by_hand(cast.database, cast.storage, second.study)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        open_study(connection, study=second.reload(), by=cast.cora)
    close(replace(second, study=second.reload()))
    assert said in cora.get("/studies/second/unblind").text
    unblind(cast)
    assert said not in cora.get("/studies/second/unblind").text
    assert said not in cora.get("/studies/second").text


def test_a_copy_that_is_refused_leaves_no_files(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is taken: found after the files were copied, which go again."""
    stored: list[str] = []
    gone: list[str] = []
    put, delete = Storage.put, Storage.delete

    def count_put(self: Storage, data: bytes, *, suffix: str) -> str:
        stored.append(put(self, data, suffix=suffix))
        return stored[-1]

    def count_delete(self: Storage, key: str) -> None:
        gone.append(key)
        delete(self, key)

    monkeypatch.setattr(Storage, "put", count_put)
    monkeypatch.setattr(Storage, "delete", count_delete)
    copy = {"new_code": "bcc-sk", "new_title": "The same", "with_cases": "yes"}
    answer = site.browser(site.cast.cora).post("/studies/bcc-sk/copy", data=copy)
    assert answer.status_code == 409
    assert "already a study named" in answer.text
    assert 'name="with_cases" value="yes" checked' in answer.text
    assert stored == gone
    assert len(stored) == 6


def test_a3_nobody_copies_the_cases_of_a_study_that_is_not_theirs(site: Site) -> None:
    cast = site.cast
    with cast.begin(Role.COORDINATOR, cast.olga) as connection:
        mine = create_study(connection, code="olgas", title="Olga's", by=cast.olga)
    with (
        pytest.raises(NotAllowed, match="coordinator of both studies"),
        cast.begin(Role.COORDINATOR, cast.olga) as connection,
    ):
        cases.copy_cases(connection, from_study=cast.study.id, into_study=mine, copies={})
