"""The scale of five steps, where a study has it: asked, held, corrected, reported and verified."""

import re
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest

from app.actions.amend_study import correct_reading
from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.session import Role
from app.domain.errors import Conflict, InvalidInput
from app.domain.reading import Questions, parse_submission
from app.domain.study_design import FIVE_STEPS, StudyDesign
from tests.conftest import Cast
from tests.reading.designs import opened
from tests.reading.steps import call, lock, serve, superuser
from tests.web.site import Site
from tests.web.test_corrections import reading_id

FIVE = StudyDesign(confidence_scale="five_steps")
KEY = str(UUID(int=5))


@pytest.fixture
def cast(draft: Cast) -> Cast:
    return opened(draft, FIVE)


def step(text: str) -> int:
    """What a form with this confidence is taken for."""
    questions = Questions(confidence_scale="five_steps")
    return parse_submission(
        call="SK", confidence=text, submission_id=KEY, questions=questions
    ).confidence


@pytest.mark.parametrize("percent", range(101))
def test_d11_a_step_is_taken_and_what_lies_between_is_refused(percent: int) -> None:
    if percent in FIVE_STEPS:
        assert step(str(percent)) == percent
    else:
        with pytest.raises(InvalidInput, match="one of the five steps"):
            step(str(percent))


@pytest.mark.parametrize("nothing", ["", "x", "-25", "125", "0025", "\u0662\u0665"], ids=ascii)
def test_d11_what_is_no_number_is_no_step_either(nothing: str) -> None:
    with pytest.raises(InvalidInput, match="one of the five steps"):
        step(nothing)


def test_d11_five_steps_are_asked_for_none_is_preselected_and_what_was_typed_is_kept(
    cast: Cast,
) -> None:
    rita = Site(cast).browser(cast.rita)
    assignment = serve(cast, cast.rita)
    page = rita.get("/studies/bcc-sk/read").text
    asked = re.findall(r'name="?confidence"? value="?(\d+)', page)
    assert asked == ["0", "25", "50", "75", "100"]
    assert 'type="number"' not in page
    assert "checked" not in re.sub(r"data-keys-switch checked", "", page)
    form = {"call": "BCC", "confidence": "70", "submission_id": KEY}
    refused = rita.post(f"/readings/{assignment}/unaided", data=form)
    assert refused.status_code == 422
    assert "one of the five steps" in refused.text
    kept = rita.post(f"/readings/{assignment}/unaided", data={"call": "", "confidence": "75"})
    assert re.search(r'value="?75"? required\s+checked', kept.text)
    assert rita.post(
        f"/readings/{assignment}/unaided", data=form | {"confidence": "75"}
    ).is_redirect
    with superuser(cast) as owner:
        assert owner.execute("SELECT call, confidence FROM reading").fetchall() == [("BCC", 75)]


def test_d11_the_database_takes_no_step_between_the_five(cast: Cast) -> None:
    with pytest.raises(Conflict, match="confidence has five steps"):
        lock(cast, cast.rita, call("BCC", 70))
    lock(cast, cast.rita, call("BCC", 25))


def test_d13_the_scale_is_frozen_for_the_superuser_too(cast: Cast) -> None:
    with pytest.raises(psycopg.DatabaseError, match=r"frozen|fixed"), superuser(cast) as owner:
        owner.execute("UPDATE study SET confidence_scale = 'percent'")


def test_d4_a_correction_is_one_of_the_five_steps_too(cast: Cast) -> None:
    reading = reading_id(cast, lock(cast, cast.rita, call("BCC", 75)))
    address = f"/studies/bcc-sk/readings/{reading}"
    cora = Site(cast).browser(cast.cora)
    assert re.search(r'name="?confidence"?[^>]* step="?25', cora.get(address).text)
    form = {"kind": "correct", "call": "SK", "confidence": "70", "reason": "Slip of the key."}
    refused = cora.post(f"{address}/corrections", data=form)
    assert refused.status_code == 422
    assert "give 0, 25, 50, 75 or 100 per cent. Nothing was recorded." in refused.text
    with (
        pytest.raises(Conflict, match="five steps"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        connection.execute(
            "INSERT INTO reading_correction (reading_id, study_id, kind, call, confidence, reason) "
            "VALUES (%s, %s, 'correct', 'SK', 70, 'Slip of the key.')",
            [reading, cast.study.id],
        )
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        correct_reading(
            connection,
            study=cast.reload(),
            reading=reading,
            call="SK",
            confidence=50,
            reason="Slip of the key.",
            by=cast.cora,
        )
    with superuser(cast) as owner:
        assert owner.execute("SELECT confidence FROM reading_correction").fetchone() == (50,)


def test_l3_a_confidence_between_the_steps_is_found_in_the_log(cast: Cast) -> None:
    lock(cast, cast.rita, call("BCC", 75))
    serve(cast, cast.rolf)
    assert verify_study(records_of(cast.database.url, "bcc-sk")).problems == ()
    with superuser(cast) as owner:  # an administrator takes the guard away
        owner.execute("ALTER TABLE reading DISABLE TRIGGER guard_step")
        owner.execute(
            """INSERT INTO reading (assignment_id, study_id, reader_id, phase, call, confidence,
                   submission_id, protocol_version, locked_at, locked_in)
               SELECT a.id, a.study_id, a.reader_id, 'unaided', 'SK', 70, gen_random_uuid(), 1,
                   clock_timestamp(), pg_current_xact_id()
               FROM assignment a WHERE a.reader_id = %s AND a.position = 1""",
            [cast.rolf.id],
        )
    with superuser(cast) as owner:  # and puts it back
        owner.execute("ALTER TABLE reading ENABLE ALWAYS TRIGGER guard_step")
    problems = verify_study(records_of(cast.database.url, "bcc-sk")).problems
    assert any("70 % is none of the five steps of this study" in said for said in problems)


def test_a_study_in_per_cent_takes_all_of_them(draft: Cast) -> None:
    cast = opened(draft, replace(FIVE, confidence_scale="percent"))
    lock(cast, cast.rita, call("BCC", 70))
    page = Site(cast).browser(cast.rita).get("/studies/bcc-sk/read").text
    assert "data-steps" not in page
