"""Clauses of the protocol that no other test holds by itself."""

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import pytest

from app.actions.read_case import reveal
from app.db.session import Role
from app.domain.allocation import ALGORITHM, Plan, allocate
from app.domain.counted import why_not_counted
from app.domain.errors import Conflict
from app.domain.scores import malignancy_score
from app.domain.study_design import Design
from app.statistics.mrmc import population_sentence
from tests.access.test_parts import invited
from tests.conftest import PASSWORD, Cast
from tests.reading.designs import DESIGNS, opened, set_days
from tests.reading.steps import call, close, finish, lock, lock_aided_call, serve, superuser
from tests.reading.test_designs import first_session
from tests.web.site import Site

PLACE = re.compile(
    r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|Case \d(?: of 6)?|\d left|value="\d"'
)


def truth_of(cast: Cast, assignment: UUID) -> str:
    with superuser(cast) as owner:
        return owner.execute(
            """SELECT diagnosis FROM reference_diagnosis d JOIN assignment a USING (case_id)
               WHERE a.id = %s""",
            [assignment],
        ).fetchone()[0]


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_b8_right_and_wrong_calls_are_answered_alike(cast: Cast) -> None:
    """The same call on a BCC and on an SK: the same answer, page and header names, at each lock."""
    rita = Site(cast).browser(cast.rita)
    seen: dict[str, set[tuple[str, ...]]] = {}
    for _ in range(5):  # after the sixth case there is no further one
        assignment = serve(cast, cast.rita)
        answers: list[str] = []
        for phase in ("unaided", "aided"):
            if phase == "aided":
                with cast.begin(Role.READER, cast.rita) as connection:
                    reveal(connection, assignment_id=assignment)
            form = {"call": "BCC", "confidence": "70", "submission_id": str(call().submission_id)}
            locked = rita.post(f"/readings/{assignment}/{phase}", data=form)
            page = rita.get("/studies/bcc-sk/read")
            assert (locked.status_code, page.status_code) == (303, 200)
            answers += [
                locked.headers["location"],
                ",".join(sorted(locked.headers)),
                PLACE.sub("", locked.text),
                PLACE.sub("", page.text),
            ]
        seen.setdefault(truth_of(cast, assignment), set()).add(tuple(answers))
    assert set(seen) == {"BCC", "SK"}
    assert seen["BCC"] == seen["SK"]
    assert len(seen["BCC"]) == 1


def test_d11_after_the_ai_the_same_questions_are_asked_and_the_own_call_is_shown(
    cast: Cast,
) -> None:
    rita = Site(cast).browser(cast.rita)
    assignment = serve(cast, cast.rita)
    asked = {}
    for phase in ("unaided", "aided"):
        page = rita.get("/studies/bcc-sk/read").text
        form = re.search(rf'<form[^>]*data-call-form="?{phase}.*?</form>', page, re.DOTALL)
        assert form
        fields = re.findall(r"<(?:input|textarea|select)[^>]*>", form[0])
        named = [re.sub(r'\bid="[^"]*"|\bvalue="[0-9a-f-]{36}"', "", field) for field in fields]
        asked[phase] = [" ".join(field.replace("aided", "").split()) for field in named]
        assert not any(" checked" in field and "name=" in field for field in fields)
        if phase == "unaided":
            lock(cast, cast.rita, call("SK", 80))
            with cast.begin(Role.READER, cast.rita) as connection:
                reveal(connection, assignment_id=assignment)
        else:
            assert re.search(r"Your unaided call: SK ?, 80 % sure", words_of(page))
    no_questions = (
        '<input type="checkbox" name="pause" value="yes">',  # about the next case
        '<input type="hidden" name="map_milliseconds" value="">',  # the browser says it
    )
    assert asked["unaided"] == [field for field in asked["aided"] if field not in no_questions]


@pytest.mark.parametrize(
    ("answer", "confidence", "score"),
    [("BCC", 100, 1.0), ("BCC", 0, 0.5), ("SK", 0, 0.5), ("SK", 100, 0.0), ("SK", 40, 0.3)],
)
def test_d11_the_malignancy_score_follows_from_call_and_confidence(
    answer: str, confidence: int, score: float
) -> None:
    assert malignancy_score(answer, confidence) == pytest.approx(score)


def test_d7_the_digest_of_the_order_is_shown_before_the_first_case(cast: Cast) -> None:
    with superuser(cast) as owner:
        digest = owner.execute(
            "SELECT order_sha256 FROM allocation WHERE reader_id = %s", [cast.rita.id]
        ).fetchone()[0]
        assert owner.execute("SELECT count(*) FROM served").fetchone()[0] == 0
    assert digest in Site(cast).browser(cast.rita).get("/studies/bcc-sk/read").text


@pytest.mark.parametrize("readers", [1, 2, 3, 4, 5, 6, 20])
def test_up_to_five_readers_the_result_carries_no_claim_about_readers_in_general(
    readers: int,
) -> None:
    said = population_sentence(readers)
    claims = "readers like these and cases like these" in said
    assert claims == (readers > 5)
    limits = ("this reader", "cannot stand for readers in general", "no claim about readers")
    assert any(limit in said for limit in limits) == (readers <= 5)


def test_b8_the_answer_to_the_last_lock_says_nothing_either(cast: Cast) -> None:
    for _ in range(6):
        assignment = lock(cast, cast.rita)
        with cast.begin(Role.READER, cast.rita) as connection:
            reveal(connection, assignment_id=assignment)
        lock_aided_call(cast, cast.rita, assignment, call())
    page = Site(cast).browser(cast.rita).get("/studies/bcc-sk/read").text
    shown = re.sub(r"<[^>]+>", " ", page[page.index("<main") :])
    assert not re.search(
        r"\b(correct|right|wrong|accuracy|sensitivity|\d+ ?%)", shown, re.IGNORECASE
    )


def test_d8_all_four_times_of_a_case_are_the_servers_and_run_forward(cast: Cast) -> None:
    with superuser(cast) as owner:
        begun = owner.execute("SELECT clock_timestamp()").fetchone()[0]
    assignment = finish(cast, cast.rita)
    with superuser(cast) as owner:
        times = owner.execute(
            """SELECT s.served_at, u.locked_at, v.revealed_at, a.locked_at, clock_timestamp()
               FROM served s JOIN reveal v USING (assignment_id)
               JOIN reading u ON u.assignment_id = s.assignment_id AND u.phase = 'unaided'
               JOIN reading a ON a.assignment_id = s.assignment_id AND a.phase = 'aided'
               WHERE s.assignment_id = %s""",
            [assignment],
        ).fetchone()
    assert all(earlier < later for earlier, later in pairwise([begun, *times]))


def test_d11_the_call_is_asked_for_before_how_sure_and_what_to_do(draft: Cast) -> None:
    cast = opened(draft, replace(DESIGNS["sequential"], ask_management=True, ask_comment=True))
    rita = Site(cast).browser(cast.rita)
    assignment = serve(cast, cast.rita)
    for phase in ("unaided", "aided"):
        page = rita.get("/studies/bcc-sk/read").text
        form = re.search(rf'<form[^>]*data-call-form="?{phase}.*?</form>', page, re.DOTALL)
        assert form
        names = dict.fromkeys(re.findall(r'name="(\w+)"', form[0]))
        asked = [name for name in names if name in {"call", "confidence", "management", "comment"}]
        assert asked == ["call", "confidence", "management", "comment"]
        if phase == "unaided":
            lock(cast, cast.rita, replace(call(), management="biopsy"))
            with cast.begin(Role.READER, cast.rita) as connection:
                reveal(connection, assignment_id=assignment)


def test_d7_each_reader_has_an_order_of_their_own_and_no_place_is_a_cases() -> None:
    """Chi-square over 500 readers of ten cases; 81 degrees of freedom, 0.1% point 126.1."""
    counted = [UUID(int=number) for number in range(10)]
    drawn = Plan(ALGORITHM, 7, "sequential", 0, 0, frozenset(), frozenset(counted))
    orders = [
        tuple(entry.case for entry in allocate(drawn, reader=UUID(int=900 + number), number=number))
        for number in range(1, 501)
    ]
    assert len(set(orders)) == len(orders)
    places = Counter((case, place) for order in orders for place, case in enumerate(order))
    expected = len(orders) / len(counted)
    assert sum((places[case, place] - expected) ** 2 / expected
               for case in counted for place in range(10)) < 126.1  # fmt: skip


def test_d7_an_order_is_stored_with_its_seed_and_the_version_of_its_algorithm(cast: Cast) -> None:
    with superuser(cast) as owner:
        stored = owner.execute(
            "SELECT DISTINCT l.seed, l.algorithm, s.seed, s.allocation_algorithm "
            "FROM allocation l JOIN study s ON s.id = l.study_id"
        ).fetchall()
    assert stored == [(cast.study.seed, ALGORITHM, cast.study.seed, ALGORITHM)]
    unknown = Plan("sha256-design-9", 1, "sequential", 0, 0, frozenset(), frozenset([UUID(int=1)]))
    with pytest.raises(ValueError, match="sha256-design-9"):
        allocate(unknown, reader=UUID(int=2), number=1)


def test_d7_the_washout_is_as_long_as_the_study_says(draft: Cast) -> None:
    cast = opened(draft, replace(DESIGNS["crossover"], washout_days=14))
    first_session(cast, cast.rita)
    set_days(cast, 13)
    with pytest.raises(Conflict, match="second session begins on"):
        serve(cast, cast.rita)
    set_days(cast, 14)
    serve(cast, cast.rita)


@pytest.mark.parametrize("design", DESIGNS)
def test_d7_a_training_case_never_counts(design: Design) -> None:
    for arm in ("with_ai", "without_ai"):
        for phase in ("unaided", "aided"):
            about = {"design": design, "arm": arm, "phase": phase, "void": False}
            why = why_not_counted(purpose="training", excluded=False, **about)
            assert why == "training"


def test_a14_nobody_but_the_studys_coordinator_unblinds_and_the_time_is_kept(site: Site) -> None:
    cast = site.cast
    others = [cast.rita, cast.olga]  # a reader; the coordinator of another study
    others += [invited(site, part, f"{part}@example.org") for part in ("adjudicator", "auditor")]
    finish(cast, cast.rita)
    close(cast)
    form = {"password": PASSWORD, "reason": "All readings are in.", "meant": "yes"}
    for other in others:
        refused = site.browser(other).post("/studies/bcc-sk/unblind", data=form)
        assert refused.status_code in {403, 404}, other.email
        assert cast.reload().state == "closed", other.email
    with superuser(cast) as owner:
        before = owner.execute("SELECT clock_timestamp()").fetchone()[0]
    assert site.browser(cast.cora).post("/studies/bcc-sk/unblind", data=form).status_code == 303
    with superuser(cast) as owner:
        after = owner.execute("SELECT clock_timestamp()").fetchone()[0]
    assert before < cast.reload().unblinded_at < after
