"""The same picture in two studies: what one has in the one tells nothing of it in the other."""

from dataclasses import replace

import pytest

from app.actions.copy_study import copy_study
from app.actions.design_study import find_study
from app.actions.draw_orders import enrol_reader
from app.db.session import Role
from app.domain.access import AccountRole
from app.domain.errors import NotAllowed
from app.domain.study_design import StudyDesign
from tests.conftest import Cast, make_account
from tests.database.test_people import appoint, change_part, seen
from tests.reading.designs import opened
from tests.reading.steps import close, finish, serve
from tests.reading.test_copies_stay_blind import copied

ROLES = {"auditor": Role.AUDITOR, "adjudicator": Role.ADJUDICATOR}


@pytest.mark.parametrize("part", ROLES)
def test_b1_b2_whoever_reads_a_picture_audits_and_adjudicates_it_nowhere_meanwhile(
    cast: Cast, part: str
) -> None:
    copy = copied(cast)
    for person in (cast.rolf, cast.olga):
        appoint(copy, person, part)
    assert seen(copy, ROLES[part], cast.olga, "reference_diagnosis") == 6, "who reads nowhere"
    for table in ("reference_diagnosis", "study_case", "image"):
        assert seen(copy, ROLES[part], cast.rolf, table) == 0, "who reads the same in bcc-sk"
    for _ in range(6):
        finish(cast, cast.rolf)
    assert seen(copy, ROLES[part], cast.rolf, "reference_diagnosis") == 6, "who has read them all"


def test_b1_b2_a_study_that_is_closed_holds_nobody_up(cast: Cast) -> None:
    copy = copied(cast)
    appoint(copy, cast.rolf, "auditor")
    assert seen(copy, Role.AUDITOR, cast.rolf, "prediction") == 0
    close(cast)
    assert seen(copy, Role.AUDITOR, cast.rolf, "prediction") == 6


@pytest.mark.parametrize("part", ROLES)
def test_b1_b2_whoever_audits_or_adjudicates_a_picture_reads_it_nowhere(
    cast: Cast, part: str
) -> None:
    ruth = make_account(cast.database, "ruth@example.org", AccountRole.READER)
    appoint(cast, ruth, part)
    copy = copied(cast)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        enrol_reader(connection, study=copy.study.id, reader=ruth.id)
    with pytest.raises(NotAllowed, match="You know this picture from a study"):
        serve(copy, ruth)
    change_part(cast, ruth.id, part, active=False)
    with pytest.raises(NotAllowed, match="You know this picture from a study"):
        serve(copy, ruth)
    serve(copy, copy.rita)


def test_b1_b8_the_truth_of_a_training_case_waits_while_its_picture_is_to_be_read_elsewhere(
    draft: Cast,
) -> None:
    cast = opened(draft, StudyDesign(), training=1)
    assignment = finish(cast, cast.rita)

    def truth() -> list[tuple[str, ...]]:
        with cast.begin(Role.READER, cast.rita) as connection:
            return connection.execute(
                "SELECT diagnosis FROM training_truth(%s)", [assignment]
            ).fetchall()

    assert truth() == [("SK",)]
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
        second = replace(cast, study=find_study(connection, code="second"))
        assert truth() == [("SK",)], "nobody reads there yet"
        enrol_reader(connection, study=second.study.id, reader=cast.rita.id)
    assert truth() == []
