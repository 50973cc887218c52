"""Copied cases are no way to truth or AI of a study under way, and a copy leaves a trace."""

import json
from dataclasses import replace

import pytest

from app.actions.copy_study import copy_study
from app.actions.design_study import find_study, open_study
from app.actions.draw_orders import enrol_reader
from app.actions.verify_study import verify_study
from app.db import people, readings
from app.db.administrator import records_of
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import Conflict, Refusal
from tests.conftest import Cast, score_by_hand
from tests.reading.steps import finish, superuser, unblind


def copied(cast: Cast) -> Cast:
    """The open study's copy with its cases, scored and open, with Rita among its readers."""
    copy_study(
        cast.database,
        cast.storage,
        study=cast.study,
        code="second",
        title="The second",
        with_cases=True,
        by=cast.cora,
    )
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        second = find_study(connection, code="second")
        enrol_reader(connection, study=second.id, reader=cast.rita.id)
    score_by_hand(cast.database, cast.storage, second)
    copy = replace(cast, study=second)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        open_study(connection, study=copy.reload(), by=cast.cora)
    return replace(copy, study=copy.reload())


def test_b9_a_copy_is_not_unblinded_before_the_study_its_cases_come_from(cast: Cast) -> None:
    copy = copied(cast)
    with pytest.raises(Conflict, match='copies of those of "bcc-sk", which is still blinded'):
        unblind(copy)
    assert copy.reload().state == "closed"
    unblind(cast)
    with superuser(cast) as owner:  # the guard holds no longer
        owner.execute("SELECT set_config('reread.actor', %s, false)", [str(cast.cora.id)])
        owner.execute(
            """UPDATE study SET state = 'unblinded', unblinded_by = %s, unblinding_reason = 'Both.'
               WHERE code = 'second'""",
            [cast.cora.id],
        )
    assert copy.reload().state == "unblinded"


def test_b1_what_was_shown_of_a_picture_is_shut_while_it_waits_in_another_study(cast: Cast) -> None:
    assignment = finish(cast, cast.rita)

    def shown() -> bool:
        with cast.begin(Role.READER, cast.rita) as connection:
            return bool(readings.shown_ai(connection, assignment))

    assert shown()
    copy = copied(cast)
    assert not shown(), "the same picture waits for its unaided call"
    for _ in range(6):
        finish(copy, copy.rita)
    assert shown()


def copy(cast: Cast, code: str, *, with_cases: bool, by: Account) -> None:
    copy_study(
        cast.database,
        cast.storage,
        study=cast.study,
        code=code,
        title="A copy",
        with_cases=with_cases,
        by=by,
    )


def test_l2_the_log_of_the_source_tells_of_every_copy(cast: Cast) -> None:
    copy(cast, "bare", with_cases=False, by=cast.cora)
    copy(cast, "whole", with_cases=True, by=cast.cora)
    with superuser(cast) as owner:
        found = owner.execute(
            """SELECT actor, payload FROM audit_event
               WHERE chain = %s AND action = 'study_copy.insert' ORDER BY seq""",
            [cast.study.id],
        ).fetchall()
    told = [(actor, json.loads(payload)) for actor, payload in found]
    assert [(actor, row["copy_code"], row["cases"]) for actor, row in told] == [
        (str(cast.cora.id), "bare", 0),
        (str(cast.cora.id), "whole", 6),
    ]
    for code in ("bcc-sk", "whole"):
        assert verify_study(records_of(cast.database.url, code)).problems == ()


def test_l2_a_copied_diagnosis_keeps_the_person_who_recorded_it(cast: Cast) -> None:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        people.insert_coordinator(connection, study=cast.study.id, account=cast.olga.id)
    copy(cast, "second", with_cases=True, by=cast.olga)
    with superuser(cast) as owner:
        found = owner.execute(
            """SELECT d.recorded_by, e.actor FROM reference_diagnosis d
               JOIN study s ON s.id = d.study_id
               JOIN audit_event e ON e.chain = s.id AND e.entity = d.case_id::text
                   AND e.action = 'reference_diagnosis.insert'
               WHERE s.code = 'second'"""
        ).fetchall()
    assert set(found) == {(cast.cora.id, str(cast.olga.id))}
    assert len(found) == 6


def test_l2_a_copy_that_is_none_is_not_written_into_a_log(cast: Cast) -> None:
    statement = "INSERT INTO study_copy (study_id, copy_id) VALUES (%s, %s)"
    for wrong in (cast.study.id, None):
        with (
            pytest.raises(Refusal),
            cast.begin(Role.COORDINATOR, cast.cora) as connection,
        ):
            connection.execute(statement, [cast.study.id, wrong])
    copy(cast, "second", with_cases=False, by=cast.cora)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        second = find_study(connection, code="second")
    with (
        pytest.raises(Refusal, match="new draft of one's own"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        connection.execute(statement, [second.id, cast.study.id])
