"""Cases added to an open study: appended to every order, derived again, and nothing moves."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from app.actions.add_cases import add_cases, waiting_cases
from app.actions.amend_study import exclude_case
from app.actions.check_seen_before import acknowledge_seen_before
from app.actions.design_study import NotReady
from app.actions.draw_orders import enrol_reader
from app.actions.export_pack import export_pack
from app.actions.verify_pack import verify_pack
from app.actions.verify_study import verify_study
from app.db import protocols, studies
from app.db.administrator import records_of
from app.db.session import Role
from app.domain.access import AccountRole
from app.domain.allocation import Plan, allocate, order_sha256, plan_of_addition
from app.domain.errors import Conflict, InvalidInput
from tests.conftest import Cast, make_account
from tests.database.test_seen_before import register, training_row
from tests.reading.additions import add_more, bring_more, import_more, score_more
from tests.reading.designs import DESIGNS, opened, simulate
from tests.reading.steps import at, close, finish, superuser, unblind
from tests.web.site import Site

Place = tuple[int, str, str, int, int]


def orders(cast: Cast) -> dict[str, list[Place]]:
    """Reader -> position, case, arm, session and occasion of every place."""
    with superuser(cast) as owner:
        found = owner.execute(
            """SELECT p.name, a.position, c.code, a.arm, a.session, a.occasion FROM assignment a
               JOIN account p ON p.id = a.reader_id JOIN study_case c ON c.id = a.case_id
               ORDER BY p.name, a.position"""
        ).fetchall()
    by_reader: dict[str, list[Place]] = {}
    for name, *place in found:
        by_reader.setdefault(name, []).append(tuple(place))
    return by_reader


def problems(cast: Cast) -> tuple[str, ...]:
    return verify_study(records_of(cast.database.url, "bcc-sk")).problems


# ---------------------------------------------------------------- the plan


@pytest.mark.parametrize("design", DESIGNS)
def test_b4_the_appended_part_follows_from_seed_reader_and_its_own_cases_alone(
    design: str,
) -> None:
    settings = DESIGNS[design]
    old = frozenset(UUID(int=n) for n in range(10))
    new = frozenset(UUID(int=100 + n) for n in range(6))
    plan = Plan("sha256-design-1", 7, settings.design, settings.unaided_only_percent, 3,
                frozenset({UUID(int=90)}), old)  # fmt: skip
    others = replace(plan, counted=frozenset(UUID(int=200 + n) for n in range(4)), repeats=0)
    reader = uuid4()
    part = allocate(plan_of_addition(plan, new), reader=reader, number=2)
    assert part == allocate(plan_of_addition(others, new), reader=reader, number=2)
    assert {entry.case for entry in part} == new
    assert {entry.occasion for entry in part} == {1}
    assert len(part) == (12 if design == "crossover" else 6)
    first, second = (order_sha256(part, plan.algorithm, first=n) for n in (11, 12))
    assert first != second, "the digest holds the positions"


def test_b4_in_a_hidden_share_every_added_case_is_read_with_the_ai_by_one_of_two_readers() -> None:
    new = frozenset(UUID(int=100 + n) for n in range(7))
    plan = Plan("sha256-design-1", 7, "hidden_share", 50, 0, frozenset(), frozenset({UUID(int=1)}))
    parts = [
        allocate(plan_of_addition(plan, new), reader=uuid4(), number=number) for number in (1, 2)
    ]
    seen = {entry.case for part in parts for entry in part if entry.arm == "with_ai"}
    assert seen == new


# ---------------------------------------------------------------- the whole way


@pytest.mark.parametrize("name", DESIGNS)
def test_d7_added_cases_come_behind_what_was_drawn_in_every_design_and_all_is_proven(
    draft: Cast, name: str, tmp_path: Path
) -> None:
    cast = opened(draft, replace(DESIGNS[name], repeats=2), training=1)
    before = orders(cast)
    simulate(cast, readers=1)
    cast = bring_more(cast)
    after = orders(cast)
    for reader, places in before.items():
        assert after[reader][: len(places)] == places, "a place drawn before moved"
    ruth = make_account(cast.database, "ruth@example.org", AccountRole.READER)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        enrol_reader(connection, study=cast.study.id, reader=ruth.id)
    added = 8 if name == "crossover" else 4
    joined = orders(cast)
    for places in joined.values():
        assert len(places) == len(places[:-added]) + added
        assert {place[1][0] for place in places[-added:]} == {"n"}
        assert "n" not in {place[1][0] for place in places[:-added]}
        assert [place[0] for place in places] == list(range(1, len(places) + 1))
    assert {len(places) for places in joined.values()} == {len(joined["Rita"])}
    cast = bring_more(cast, 2, first=600)
    assert problems(cast) == ()
    simulate(cast, readers=3)
    unblind(cast)
    assert problems(cast) == ()
    with cast.begin(Role.ANALYST, cast.cora) as connection:
        export_pack(
            connection, study=cast.reload(), storage=cast.storage, path=tmp_path / "p", by=cast.cora
        )
    assert verify_pack(tmp_path / "p").problems == ()
    methods = (tmp_path / "p" / "methods.md").read_text()
    assert "6 cases were added while the study was open, in 2 additions" in methods
    assert "Recruitment was faster." in methods
    assert [row["cases"] for row in json.loads((tmp_path / "p/study.json").read_text())[
        "additions"]] == [4, 2]  # fmt: skip


def test_an_addition_is_a_version_of_the_protocol_with_its_reason_and_author(cast: Cast) -> None:
    cast = bring_more(cast)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        newest = protocols.versions_of(connection, cast.study.id)[0]
    content = json.loads(newest.content)
    assert (newest.number, newest.reason, newest.author_name) == (
        2,
        "Recruitment was faster.",
        "Cora",
    )
    assert (content["counted_cases"], content["added_cases"]) == (10, [4])


def test_a_reader_who_had_finished_goes_on_with_the_added_cases(cast: Cast) -> None:
    while at(cast, cast.rita) is not None:
        finish(cast, cast.rita)
    cast = bring_more(cast, 1)
    assert at(cast, cast.rita) is not None
    finish(cast, cast.rita)
    assert at(cast, cast.rita) is None
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        rows = {row.name: row for row in studies.progress_of(connection, cast.study.id)}
    assert (rows["Rita"].assigned, rows["Rita"].finished, rows["Rolf"].assigned) == (7, 7, 7)
    assert problems(cast) == ()


def test_cases_that_wait_are_no_part_of_the_study_until_they_are_added(cast: Cast) -> None:
    import_more(cast)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        assert studies.counts_of(connection, cast.study.id).cases == 6
        assert waiting_cases(connection, study=cast.reload()).counts.cases == 4
    assert {len(places) for places in orders(cast).values()} == {6}
    close(cast)
    with (
        pytest.raises(Conflict, match="is closed"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        add_cases(connection, study=cast.reload(), reason="Late.", by=cast.cora)
    assert problems(cast) == ()


def test_cases_that_were_never_added_are_told_of_in_the_pack(cast: Cast, tmp_path: Path) -> None:
    for reader in (cast.rita, cast.rolf):
        while at(cast, reader) is not None:
            finish(cast, reader)
    import_more(cast)
    unblind(cast)
    with cast.begin(Role.ANALYST, cast.cora) as connection:
        export_pack(
            connection, study=cast.reload(), storage=cast.storage, path=tmp_path / "p", by=cast.cora
        )
    assert verify_pack(tmp_path / "p").problems == ()
    flow = (tmp_path / "p" / "flow.md").read_text()
    assert "Imported while the study was open, never added: 4 cases" in flow


def test_a_case_excluded_while_it_waits_is_in_no_order_and_one_excluded_later_is_left_out(
    cast: Cast,
) -> None:
    import_more(cast)
    score_more(cast)

    def leave_out(code: str) -> None:
        with cast.begin(Role.COORDINATOR, cast.cora) as connection:
            exclude_case(
                connection, study=cast.study, case_code=code, reason="No lesion.", by=cast.cora
            )

    leave_out("n500")
    cast = add_more(cast)
    assert {len(places) for places in orders(cast).values()} == {9}
    leave_out("n501")
    ruth = make_account(cast.database, "ruth@example.org", AccountRole.READER)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        enrol_reader(connection, study=cast.study.id, reader=ruth.id)
    assert len(orders(cast)["Ruth"]) == 8
    assert problems(cast) == ()


# ---------------------------------------------------------------- refusals


def test_b10_cases_are_added_only_with_their_predictions(cast: Cast) -> None:
    import_more(cast)
    with pytest.raises(NotReady, match="4 of 4 images have no prediction"):
        add_more(cast)
    with (
        pytest.raises(psycopg.Error, match="case n500 lacks its image, reference standard or pred"),
        superuser(cast, actor=cast.cora, replica=True) as owner,
    ):
        owner.execute("INSERT INTO case_addition (study_id, reason) SELECT id, 'x' FROM study")


def test_cases_are_added_only_with_their_diagnosis(cast: Cast) -> None:
    import_more(cast, diagnosis=False)
    score_more(cast)
    with pytest.raises(NotReady, match="4 of 4 cases have no diagnosis yet"):
        add_more(cast)


def test_pictures_seen_before_must_be_acknowledged_before_they_are_added(
    cast: Cast, tmp_path: Path
) -> None:
    register(cast, tmp_path, training_row("a.jpg"))
    import_more(cast)
    with superuser(cast) as owner:
        likeness = owner.execute(
            "SELECT i.perceptual_hash::text FROM image i JOIN study_case c ON c.id = i.case_id "
            "WHERE c.code = 'n500'"
        ).fetchone()[0]
        owner.execute("ALTER TABLE training_image DISABLE TRIGGER USER")
        owner.execute(
            """INSERT INTO training_image (model_version_id, image, split, sha256, perceptual_hash)
               SELECT model_version_id, 'b.jpg', 'train', repeat('1', 64), %s::bit(64)
               FROM study""",
            [likeness],
        )
        owner.execute("ALTER TABLE training_image ENABLE TRIGGER USER")
    score_more(cast)
    with pytest.raises(NotReady, match="have been seen before"):
        add_more(cast)
    with (
        pytest.raises(psycopg.Error, match="nobody has said why"),
        superuser(cast, actor=cast.cora) as owner,
    ):
        owner.execute("INSERT INTO case_addition (study_id, reason) SELECT id, 'x' FROM study")
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        seen = waiting_cases(connection, study=cast.reload()).seen
        acknowledge_seen_before(
            connection,
            study=cast.reload(),
            matches_sha256=seen.matches_sha256,
            reason="Another lesion.",
            by=cast.cora,
        )
    add_more(cast)


@pytest.mark.parametrize("reason", ["", " ", "x" * 2001, "a\x00b"])
def test_an_addition_without_a_reason_is_refused(cast: Cast, reason: str) -> None:
    import_more(cast)
    score_more(cast)
    with pytest.raises(InvalidInput, match="Say why"):
        add_more(cast, reason)


def test_nothing_is_added_twice_or_from_nothing(cast: Cast) -> None:
    with pytest.raises(NotReady, match="import them first"):
        add_more(cast)
    cast = bring_more(cast)
    with pytest.raises(NotReady, match="import them first"):
        add_more(cast)


def test_d7_no_reader_is_forgotten_by_an_addition(cast: Cast) -> None:
    """The act without its orders is refused at the commit."""
    import_more(cast)
    score_more(cast)
    with (
        pytest.raises(Conflict, match="appended to every reader's order"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        connection.execute(
            "INSERT INTO case_addition (study_id, reason) VALUES (%s, 'x')", [cast.study.id]
        )


@pytest.mark.parametrize("replica", [False, True], ids=["", "without triggers"])
def test_d7_no_place_is_appended_to_an_order_but_by_an_addition(
    cast: Cast, *, replica: bool
) -> None:
    place = """INSERT INTO assignment (enrolment_id, study_id, reader_id, case_id, position)
               SELECT enrolment_id, study_id, reader_id, case_id, 99 FROM assignment LIMIT 1"""
    with (
        pytest.raises(psycopg.Error, match="drawn once and as a whole"),
        superuser(cast, replica=replica) as owner,
    ):
        owner.execute(place)
    cast = bring_more(cast)
    with (
        pytest.raises(psycopg.Error, match="drawn once and as a whole"),
        superuser(cast, replica=replica) as owner,
    ):
        owner.execute(place)
    with (
        pytest.raises(psycopg.Error, match="grows by an addition"),
        superuser(cast, replica=replica) as owner,
    ):
        owner.execute(
            """INSERT INTO order_extension
                   (enrolment_id, study_id, reader_id, number, cases, order_sha256)
               SELECT enrolment_id, study_id, reader_id, 2, 0, repeat('0', 64)
               FROM order_extension LIMIT 1"""
        )


def test_d13_a_case_of_an_open_study_gets_no_second_diagnosis_by_an_addition(cast: Cast) -> None:
    """Only what waits is still open; what was added is frozen as at opening."""
    import_more(cast, diagnosis=False)
    for code, refused in (("c000", True), ("n500", False)):
        statement = """INSERT INTO reference_diagnosis
                           (case_id, study_id, diagnosis, source, recorded_by)
                       SELECT id, study_id, 'SK', 'late', %s FROM study_case WHERE code = %s
                       ON CONFLICT DO NOTHING"""
        with cast.begin(Role.COORDINATOR, cast.cora) as connection:
            if not refused:
                connection.execute(statement, [cast.cora.id, code])
                continue
            with pytest.raises(psycopg.Error, match="frozen"):
                connection.execute(statement, [cast.cora.id, code])


def test_training_cases_are_not_added(cast: Cast) -> None:
    with (
        pytest.raises(Conflict, match="training cases come first"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        connection.execute(
            "INSERT INTO study_case (study_id, code, purpose) VALUES (%s, 't9', 'training')",
            [cast.study.id],
        )


def test_d7_verify_finds_an_appended_order_that_is_not_the_seeds(cast: Cast) -> None:
    cast = bring_more(cast)
    with superuser(cast) as owner:
        for statement in (
            "ALTER TABLE assignment DISABLE TRIGGER USER",
            """UPDATE assignment SET case_id = (SELECT case_id FROM assignment b WHERE
                   b.enrolment_id = assignment.enrolment_id AND b.position = 8), session = 2
               WHERE position = 7 AND reader_id = (SELECT id FROM account WHERE name = 'Rita')""",
            "ALTER TABLE assignment ENABLE TRIGGER USER",
        ):
            owner.execute(statement)
    assert any("does not follow from its seed" in problem for problem in problems(cast))


# ---------------------------------------------------------------- the page


def test_the_page_leads_from_the_import_to_the_act(site: Site) -> None:
    cast = site.cast
    cora = site.browser(cast.cora)
    address = "/studies/bcc-sk/addition"
    assert "Import cases" in cora.get(address).text
    import_more(cast, diagnosis=False)
    assert "4 of them have no diagnosis yet" in cora.get(address).text
    assert "4 imported cases wait to be added" in cora.get("/studies/bcc-sk").text
    assert "waits to be added" in cora.get("/studies/bcc-sk/cases").text
    refused = cora.post(address, data={"reason": "More came."})
    assert (refused.status_code, "have no prediction yet" in refused.text) == (409, True)
    assert 'name="model_version"' in refused.text
    asked = cora.post("/studies/bcc-sk/score", data={"model_version": cast.study.model_version_id})
    assert asked.headers["location"] == address
    assert "hx-get" in cora.get(address).text, "it follows the worker"


def test_the_act_on_the_page_asks_for_its_reason_and_stands_in_the_overview(site: Site) -> None:
    cast = site.cast
    import_more(cast)
    score_more(cast)
    cora = site.browser(cast.cora)
    refused = cora.post("/studies/bcc-sk/addition", data={"reason": ""})
    assert (refused.status_code, "Say why the cases are added" in refused.text) == (422, True)
    assert cora.post("/studies/bcc-sk/addition", data={"reason": "More came."}).status_code == 303
    assert "Added 4 cases at the end of every order" in cora.get("/studies/bcc-sk").text
    assert "4 cases on" in cora.get("/studies/bcc-sk/addition").text
    assert "10 cases" in cora.get("/studies/bcc-sk").text
