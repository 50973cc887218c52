"""Copied cases are no way to the truth, or to the AI, of a study under way."""

from dataclasses import replace

import pytest

from app.actions.copy_study import copy_study
from app.actions.design_study import find_study, open_study
from app.actions.draw_orders import enrol_reader
from app.db import readings
from app.db.session import Role
from app.domain.errors import Conflict
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
