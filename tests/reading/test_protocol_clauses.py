"""Clauses of the protocol that are about the answers a reader gets, tried at the pages."""

import re
from uuid import UUID

import pytest

from app.actions.read_case import reveal
from app.db.session import Role
from app.domain.scores import malignancy_score
from app.statistics.mrmc import population_sentence
from tests.conftest import Cast
from tests.reading.steps import call, lock, lock_aided_call, serve, superuser
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
