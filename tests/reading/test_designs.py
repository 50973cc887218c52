"""The four designs: one machine, and each rule of the protocol tried in the design it is for."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from app.actions.amend_study import (
    amend_protocol,
    correct_reading,
    override_washout,
)
from app.actions.between_cases import between_cases
from app.actions.design_study import set_design
from app.actions.export_pack import export_pack
from app.actions.read_case import find_reader_study, lock_aided, reveal
from app.actions.verify_pack import verify_pack
from app.actions.verify_study import verify_study
from app.db import allocations, protocols, readings, studies
from app.db.administrator import records_of
from app.db.session import Role
from app.domain.access import Account
from app.domain.allocation import Assigned, order_sha256
from app.domain.errors import Conflict, InvalidInput, NotAllowed
from app.domain.reading import ReadingState
from app.domain.study_design import StudyDesign
from tests.conftest import Cast
from tests.reading.designs import DESIGNS, arm_of, opened, read_on, set_days, simulate
from tests.reading.steps import (
    at,
    call,
    correct,
    exclude,
    finish,
    lock,
    serve,
    show_ai,
    superuser,
    unblind,
)
from tests.web.site import Site


@contextmanager
def refused(sentence: str, cast: Cast) -> Iterator[psycopg.Connection]:
    """Expect that what a coordinator does here is refused, at the commit at the latest."""
    with (
        pytest.raises(Conflict, match=sentence),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        yield connection


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- the whole way, each design


@pytest.mark.parametrize("name", DESIGNS)
def test_d7_in_every_design_simulated_readers_read_and_pack_and_database_prove_it(
    draft: Cast, name: str, tmp_path: Path
) -> None:
    design = replace(DESIGNS[name], repeats=2, ask_management=True)
    cast = opened(draft, design, training=2)
    simulate(cast)
    exclude(cast)
    with superuser(cast) as owner:  # the answer that the reader did not give
        [other] = owner.execute(
            """SELECT CASE management WHEN 'biopsy' THEN 'no_biopsy' ELSE 'biopsy' END
               FROM reading WHERE phase = 'aided' ORDER BY locked_at LIMIT 1"""
        ).fetchone()
    reading = correct(cast, phase="aided", management=other)
    unblind(cast)
    assert verify_study(records_of(cast.database.url, "bcc-sk")).problems == ()
    with cast.begin(Role.ANALYST, cast.cora) as connection:
        export_pack(
            connection, study=cast.reload(), storage=cast.storage, path=tmp_path / "p", by=cast.cora
        )
    assert verify_pack(tmp_path / "p").problems == ()
    counted = rows_of(tmp_path / "p", "readings.csv")
    others = rows_of(tmp_path / "p", "readings_not_counted.csv")
    first = [row for row in counted if row["occasion"] == "1"]
    cells = [(row["reader_id"], row["case_id"], row["modality"]) for row in first]
    assert len(set(cells)) == len(cells), "one counted reading a reader, case and modality"
    assert {row["purpose"] for row in counted} == {"counted"}
    assert "c000" not in {row["case_id"] for row in counted}
    meant = [row for row in others if row["not_counted_because"] == "correction_not_used"]
    assert [(row["reading_id"], row["call"], row["management"]) for row in meant] == [
        (str(reading), "SK", other)
    ]
    whys = {row["not_counted_because"] for row in others}
    assert {"training", "excluded_case"} <= whys
    assert {row["management"] for row in counted} == {"biopsy", "no_biopsy"}
    by_reader = {row["reader_id"]: set() for row in counted}
    for row in first:
        by_reader[row["reader_id"]].add((row["case_id"], row["modality"], row["arm"]))
    if name == "crossover":
        assert all(row["arm"] == ("with_ai" if row["modality"] == "aided" else "without_ai")
                   for row in counted)  # fmt: skip
        assert {len(seen) for seen in by_reader.values()} == {10}, "five cases, both modalities"
    if name == "parallel":
        assert sorted(len({m for _, m, _ in seen}) for seen in by_reader.values()) == [1, 1, 1, 1]
        modalities = [next(iter(seen))[1] for seen in by_reader.values()]
        assert sorted(modalities) == ["aided", "aided", "unaided", "unaided"]
    if name == "hidden_share":
        assert {row["arm"] for row in counted} == {"with_ai", "without_ai"}
        for case in {row["case_id"] for row in counted}:
            assert any(row["modality"] == "aided" and row["case_id"] == case for row in counted)
    if name == "sequential":
        assert {row["arm"] for row in counted} == {"with_ai"}


# ---------------------------------------------------------------- hidden share


def test_b1_up_to_the_lock_a_case_whose_ai_is_withheld_is_like_any_other(draft: Cast) -> None:
    """The same page but for ids, the same refusal of the reveal, the same answer to the lock."""
    cast = opened(draft, DESIGNS["hidden_share"])
    rita = Site(cast).browser(cast.rita)
    seen: dict[str, set[tuple[object, ...]]] = {}
    for _ in range(6):
        assignment = serve(cast, cast.rita)
        page = rita.get("/studies/bcc-sk/read").text
        own = (
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|Case \d of 6|Case \d|max=\"6\" value=\"\d\""
        )
        plain = re.sub(own, "", page)
        with cast.begin(Role.READER, cast.rita) as connection:
            before = connection.execute("SELECT withheld(%s)", [cast.study.id]).fetchall()
            with pytest.raises(psycopg.Error) as refused:
                connection.execute("SELECT reveal_ai(%s, 'test')", [assignment])
        withheld = assignment in {row[0] for row in before}
        seen.setdefault(arm_of(cast, assignment), set()).add((plain, str(refused.value), withheld))
        read_on(cast, cast.rita)
    assert set(seen) == {"with_ai", "without_ai"}
    assert seen["with_ai"] == seen["without_ai"]
    assert len(seen["with_ai"]) == 1


def test_b1_no_lock_that_can_be_taken_back_tells_whether_the_ai_comes(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["hidden_share"])
    while arm_of(cast, assignment := serve(cast, cast.rita)) == "with_ai":
        read_on(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        held = readings.assignment_by_id(connection, assignment)
        readings.insert_reading(connection, held, "unaided", call())
        assert connection.execute("SELECT withheld(%s)", [cast.study.id]).fetchall() == []
        assert readings.current_assignment(connection, cast.study.id).id == assignment
        with pytest.raises(psycopg.Error, match="earlier case"):
            connection.execute(
                """INSERT INTO served (assignment_id, study_id, reader_id)
                   SELECT id, study_id, reader_id FROM assignment WHERE position = %s""",
                [held.position + 1],
            )


def test_b2_the_arm_of_an_assignment_is_not_the_readers_to_read(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["hidden_share"])
    for column in ("arm", "occasion"):
        with (
            cast.begin(Role.READER, cast.rita) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(f"SELECT {column} FROM assignment")  # noqa: S608 - ours


@pytest.mark.parametrize("replica", [False, True], ids=["", "without triggers"])
def test_b2_no_ai_is_released_for_a_case_without_ai(draft: Cast, *, replica: bool) -> None:
    cast = opened(draft, DESIGNS["hidden_share"])
    while arm_of(cast, assignment := lock(cast, cast.rita)) == "with_ai":
        with cast.begin(Role.READER, cast.rita) as connection:
            reveal(connection, assignment_id=assignment)
        with cast.begin(Role.READER, cast.rita) as connection:
            lock_aided(connection, assignment_id=assignment, submission=call())
    with (
        pytest.raises(psycopg.Error, match="no AI result is shown"),
        superuser(cast, actor=cast.rita, replica=replica) as owner,
    ):
        owner.execute("SELECT reveal_ai(%s, 'test')", [assignment])
    with cast.begin(Role.READER, cast.rita) as connection:
        assert readings.shown_ai(connection, assignment) == []
        between = between_cases(
            connection, study=find_reader_study(connection, code=cast.study.code)
        )
    assert between.withheld


# ---------------------------------------------------------------- crossover


def first_session(cast: Cast, reader: Account) -> None:
    while at(cast, reader).assignment.session == 1:
        read_on(cast, reader)


def test_d7_the_second_session_is_refused_on_day_27_and_begins_on_day_28(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    first_session(cast, cast.rita)
    assert at(cast, cast.rita).state is ReadingState.ASSIGNED
    set_days(cast, 27)
    with pytest.raises(Conflict, match="second session begins on"):
        serve(cast, cast.rita)
    page = Site(cast).browser(cast.rita).get("/studies/bcc-sk/read").text
    assert "Your second session begins on" in page
    assert "Show case" not in page
    set_days(cast, 28)
    serve(cast, cast.rita)
    assert at(cast, cast.rita).state is ReadingState.SERVED


def test_d7_another_washout_for_one_reader_needs_a_reason_and_is_an_amendment(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    for reader in (cast.rita, cast.rolf):
        first_session(cast, reader)
    about = {"study": cast.study, "reader": cast.rita.id, "days": 0, "by": cast.cora}
    with (
        pytest.raises(InvalidInput, match="reason"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        override_washout(connection, **about, reason=" ")
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        override_washout(connection, **about, reason="Leaves the clinic.")
        newest = protocols.versions_of(connection, cast.study.id)[0]
    assert (newest.number, newest.reason) == (2, "Leaves the clinic.")
    assert str(cast.rita.id) in newest.content
    serve(cast, cast.rita)
    with pytest.raises(Conflict, match="second session"):
        serve(cast, cast.rolf)


def test_b1_what_was_shown_is_shut_while_the_same_case_waits_a_second_time(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    while arm_of(cast, assignment := read_on(cast, cast.rita)) == "without_ai":
        pass
    with cast.begin(Role.READER, cast.rita) as connection:
        assert readings.shown_ai(connection, assignment) == []


def test_d2_crossover_arms_are_balanced_over_cases_and_readers(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    with superuser(cast) as owner:
        for grouped in ("reader_id", "case_id"):
            found = owner.execute(
                f"""SELECT count(*) FILTER (WHERE arm = 'with_ai') FROM assignment
                    WHERE session = 1 GROUP BY {grouped}"""  # noqa: S608 - ours
            ).fetchall()
            assert {row[0] for row in found} == {3 if grouped == "reader_id" else 1}


# ---------------------------------------------------------------- training, sittings, questions


def test_b8_the_truth_of_a_training_case_is_told_after_its_last_lock_and_of_no_other(
    draft: Cast,
) -> None:
    cast = opened(draft, StudyDesign(), training=1)
    truth = "SELECT diagnosis FROM training_truth(%s)"
    assignment = show_ai(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        assert connection.execute(truth, [assignment]).fetchall() == []
        lock_aided(connection, assignment_id=assignment, submission=call())
        assert connection.execute(truth, [assignment]).fetchall() == [], "it may be rolled back"
    page = Site(cast).browser(cast.rita).get("/studies/bcc-sk/read").text
    assert "the reference standard says <strong>SK</strong>" in page
    with cast.begin(Role.READER, cast.rolf) as connection:
        assert connection.execute(truth, [assignment]).fetchall() == []
    counted = finish(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        assert connection.execute(truth, [assignment]).fetchall() == [("SK",)]
        assert connection.execute(truth, [counted]).fetchall() == []


def test_d7_training_cases_come_first(draft: Cast) -> None:
    cast = opened(draft, StudyDesign(), training=2)
    with superuser(cast) as owner:
        found = owner.execute(
            "SELECT array_agg(purpose ORDER BY position) FROM assignment GROUP BY reader_id"
        ).fetchall()
    assert all(row[0] == ["training"] * 2 + ["counted"] * 6 for row in found)


def test_d6_a_sitting_ends_after_its_cases_and_the_next_is_begun_by_the_reader(draft: Cast) -> None:
    cast = opened(draft, StudyDesign(cases_per_sitting=2))
    finish(cast, cast.rita)
    assert at(cast, cast.rita).state is ReadingState.SERVED
    finish(cast, cast.rita)
    assert at(cast, cast.rita).state is ReadingState.ASSIGNED
    page = Site(cast).browser(cast.rita).get("/studies/bcc-sk/read").text
    assert "This sitting is over: thank you" in page
    assert "4 are left" in page


def test_d11_management_is_asked_where_the_study_asks_for_it_and_nowhere_else(draft: Cast) -> None:
    cast = opened(draft, StudyDesign(ask_management=True, ask_comment=True))
    rita = Site(cast).browser(cast.rita)
    assignment = serve(cast, cast.rita)
    page = rita.get("/studies/bcc-sk/read").text
    assert page.count('name="management"') == 2
    assert "checked" not in re.sub(r"data-keys-switch checked", "", page)
    form = {"call": "BCC", "confidence": "70", "submission_id": str(UUID(int=5)), "comment": "x=1"}
    refused = rita.post(f"/readings/{assignment}/unaided", data=form)
    assert refused.status_code == 422
    assert "Say whether you would take a biopsy." in refused.text
    assert ">x=1</textarea>" in refused.text
    form["management"] = "no_biopsy"
    assert rita.post(f"/readings/{assignment}/unaided", data=form).status_code == 303
    with superuser(cast) as owner:
        stored = owner.execute("SELECT management, comment FROM reading").fetchall()
    assert stored == [("no_biopsy", "x=1")]
    with pytest.raises(Conflict, match="answers the questions"):
        lock(cast, cast.rolf)


@pytest.mark.parametrize("part", ["probability", "label", "overlay"])
def test_b2_what_the_ai_does_not_show_does_not_leave_the_database(draft: Cast, part: str) -> None:
    cast = opened(draft, StudyDesign(**{f"show_{part}": False}))
    assignment = show_ai(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        shown = readings.shown_ai(connection, assignment)[0]
    given = {
        "probability": shown.probability, "label": shown.call, "overlay": shown.overlay_key,
    }  # fmt: skip
    assert {name for name, value in given.items() if value is None} == {part}
    assert (shown.threshold is None) == (part != "overlay")
    answer = Site(cast).browser(cast.rita).get("/studies/bcc-sk/read")
    assert answer.status_code == 200
    assert ("Probability of BCC" in answer.text) == (part != "probability")
    assert ("data-overlay=" in answer.text) == (part != "overlay")
    assert ("opinion-call" in answer.text) == (part != "label")


# ---------------------------------------------------------------- frozen, amended, corrected


def test_d13_from_opening_on_the_design_is_frozen_and_words_change_by_amendment(
    draft: Cast,
) -> None:
    cast = opened(draft, StudyDesign())
    for column in ("design = 'parallel'", "repeats = 1", "show_label = false", "title = 'New'",
                   "washout_days = 1", "cases_per_sitting = 3"):  # fmt: skip
        with (
            pytest.raises(Conflict, match="frozen"),
            cast.begin(Role.COORDINATOR, cast.cora) as connection,
        ):
            connection.execute(f"UPDATE study SET {column}")  # noqa: S608 - ours
    with (
        pytest.raises(Conflict, match="frozen"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        set_design(connection, study=cast.study, design=StudyDesign(repeats=3), title="New",
                   instructions="", by=cast.cora)  # fmt: skip
    finish(cast, cast.rita)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        amend_protocol(connection, study=cast.study, title="BCC or SK", instructions="Read well.",
                       cases_per_sitting=10, reason="Readers asked.", by=cast.cora)  # fmt: skip
        versions = protocols.versions_of(connection, cast.study.id)
    assert [(v.number, v.reason) for v in versions] == [
        (2, "Readers asked."), (1, "The study was opened."),
    ]  # fmt: skip
    finish(cast, cast.rita)
    assert cast.reload().instructions == "Read well."
    with superuser(cast) as owner:
        under = owner.execute("SELECT protocol_version FROM reading ORDER BY locked_at").fetchall()
    assert [row[0] for row in under] == [1, 1, 2, 2]
    assert verify_study(records_of(cast.database.url, "bcc-sk")).problems == ()


def test_d13_an_amendment_changes_nothing_but_words_and_sittings(draft: Cast) -> None:
    cast = opened(draft, StudyDesign())
    with (
        pytest.raises(Conflict, match="everything else is frozen"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        protocols.insert_version(
            connection, cast.study.id, changes={"design": "parallel"}, reason="I like it."
        )
    with (
        pytest.raises((NotAllowed, psycopg.Error)),
        cast.begin(Role.COORDINATOR, cast.olga) as connection,
    ):
        protocols.insert_version(connection, cast.study.id, changes={"title": "x"}, reason="Mine.")


def test_d4_a_reading_is_corrected_by_a_further_row_until_unblinding_and_never_by_its_reader(
    cast: Cast,
) -> None:
    finish(cast, cast.rita)
    reading = correct(cast, "void")
    with superuser(cast) as owner:
        held = owner.execute("SELECT call, confidence FROM reading WHERE id = %s", [reading])
        assert held.fetchone() == ("BCC", 70)
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        connection.execute(
            "INSERT INTO reading_correction (reading_id, study_id, kind, reason) "
            "VALUES (%s, %s, 'void', 'mine')",
            [reading, cast.study.id],
        )
    unblind(cast)
    with (
        pytest.raises(Conflict, match="is unblinded"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        correct_reading(connection, study=cast.study, reading=reading, call="SK", confidence=1,
                        reason="Late.", by=cast.cora)  # fmt: skip


def test_d7_a_case_excluded_while_open_is_read_by_nobody_any_more(draft: Cast) -> None:
    cast = opened(draft, StudyDesign())
    exclude(cast)
    count = 0
    while at(cast, cast.rita) is not None:
        finish(cast, cast.rita)
        count += 1
    assert count == 5
    assert verify_study(records_of(cast.database.url, "bcc-sk")).problems == ()


def test_d7_a_case_excluded_before_opening_is_in_no_order(draft: Cast) -> None:
    exclude(draft)
    cast = opened(draft, DESIGNS["hidden_share"])
    with superuser(cast) as owner:
        found = owner.execute("SELECT count(*) FROM assignment GROUP BY reader_id").fetchall()
    assert {row[0] for row in found} == {5}
    assert verify_study(records_of(cast.database.url, "bcc-sk")).problems == ()


WRONG_ORDERS = {
    "parallel": ("with_ai", "without_ai"),  # a reader in both arms
    "crossover": ("with_ai", "with_ai"),  # no second session
    "sequential": ("without_ai", "without_ai"),
}


@pytest.mark.parametrize("name", WRONG_ORDERS)
def test_d7_an_order_that_is_not_of_the_studys_design_is_not_stored(draft: Cast, name: str) -> None:
    cast = opened(draft, DESIGNS[name])
    with superuser(cast) as owner:
        cases = [row[0] for row in owner.execute("SELECT id FROM study_case")]
    arms = WRONG_ORDERS[name]
    order = [Assigned(case, arms[number % 2]) for number, case in enumerate(cases)]
    with refused("not one of the study's design", cast) as connection:
        studies.enrol(connection, study=cast.study.id, reader=cast.olga.id)
        found = allocations.allocation_input(connection, cast.study.id)
        plan = allocations.plans_of(connection, cast.study.id, found).opening
        waiting = allocations.waiting_enrolments(connection, cast.study.id, plan.algorithm)[0]
        allocations.store_order(
            connection,
            study=cast.study.id,
            waiting=waiting,
            plan=plan,
            order=order,
            digest=order_sha256(order, plan.algorithm),
        )


def test_d7_verify_finds_a_second_session_that_began_too_early(draft: Cast) -> None:
    """The clock of days was set forward; the times in the log were not."""
    cast = opened(draft, DESIGNS["crossover"])
    first_session(cast, cast.rita)
    assert verify_study(records_of(cast.database.url, "bcc-sk")).problems == ()
    set_days(cast, 28)
    serve(cast, cast.rita)
    early, clock = verify_study(records_of(cast.database.url, "bcc-sk")).problems
    assert "second session began before 28 days" in early
    assert clock == "the function clock_of_days is not as the migrations wrote it"
