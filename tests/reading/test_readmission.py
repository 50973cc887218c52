"""An exclusion is undone by a further row: who reads the case then, and what is proven of it."""

from pathlib import Path
from uuid import UUID

import pytest

from app.actions.add_cases import add_cases
from app.actions.amend_study import exclude_case, readmit_case
from app.actions.draw_orders import enrol_reader
from app.actions.verify_pack import verify_pack
from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.results import current_data_sha256
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput
from app.domain.reading import ReadingState
from app.domain.study_design import StudyDesign
from tests.conftest import Cast
from tests.pack.conftest import export
from tests.reading.additions import import_more, score_more
from tests.reading.designs import opened, simulate
from tests.reading.steps import (
    at,
    bring_to,
    close,
    exclude,
    finish,
    readmit,
    superuser,
    unblind,
)


def c000(cast: Cast, reader: Account) -> tuple[UUID, int]:
    """The reader's assignment of the case that comes and goes, and its place."""
    with superuser(cast) as owner:
        return owner.execute(
            """SELECT a.id, a.position FROM assignment a JOIN study_case c ON c.id = a.case_id
               WHERE c.code = 'c000' AND a.reader_id = %s""",
            [reader.id],
        ).fetchone()


def finish_all(cast: Cast, reader: Account) -> int:
    count = 0
    while at(cast, reader) is not None:
        finish(cast, reader)
        count += 1
    return count


def problems(cast: Cast) -> tuple[str, ...]:
    return verify_study(records_of(cast.database.url, cast.study.code)).problems


def test_d4_an_exclusion_is_undone_by_a_further_row_with_author_and_reason(cast: Cast) -> None:
    exclude(cast)
    readmit(cast)
    with superuser(cast) as owner:
        rows = owner.execute(
            """SELECT x.reason, x.author, b.reason, b.author, b.made_at > x.made_at
               FROM case_exclusion x JOIN case_readmission b ON b.exclusion_id = x.id"""
        ).fetchall()
        versions = owner.execute(
            """SELECT number, reason, content::jsonb -> 'excluded_cases' FROM protocol_version
               ORDER BY number"""
        ).fetchall()
    assert rows == [("No lesion.", cast.cora.id, "It has one.", cast.cora.id, True)]
    assert versions == [
        (1, "The study was opened.", []),
        (2, "No lesion.", ["c000"]),
        (3, "It has one.", []),
    ]


def test_d4_who_is_past_the_case_reads_it_next_and_everything_is_proven(
    cast: Cast, tmp_path: Path
) -> None:
    exclude(cast)
    assert finish_all(cast, cast.rita) == 5
    readmit(cast)
    assert at(cast, cast.rita).assignment.id == c000(cast, cast.rita)[0]
    assert finish_all(cast, cast.rita) == 1
    assert finish_all(cast, cast.rolf) == 6
    assert problems(cast) == ()
    unblind(cast)
    export(cast, tmp_path / "pack")
    assert verify_pack(tmp_path / "pack").problems == ()
    readings = (tmp_path / "pack" / "readings.csv").read_text()
    assert readings.count(",c000,") == 4, "two readers, before and after the AI"
    assert "excluded_case" not in (tmp_path / "pack" / "readings_not_counted.csv").read_text()
    methods = (tmp_path / "pack" / "methods.md").read_text()
    assert "- Case c000 was excluded: No lesion." in methods
    assert "- The exclusion of case c000 was undone: It has one." in methods
    flow = (tmp_path / "pack" / "flow.md").read_text()
    assert "1 exclusion was undone, not left here:" in flow
    assert "c000: No lesion.; undone: It has one." in flow
    assert "Excluded: " not in flow


@pytest.mark.parametrize("state", [ReadingState.SERVED, ReadingState.LOCKED, ReadingState.REVEALED])
def test_d6_the_case_is_where_its_reader_left_it(cast: Cast, state: ReadingState) -> None:
    _, position = c000(cast, cast.rita)
    for _ in range(position - 1):
        finish(cast, cast.rita)
    bring_to(cast, cast.rita, state)
    exclude(cast)
    if at(cast, cast.rita) is not None:
        finish(cast, cast.rita)
    readmit(cast)
    again = at(cast, cast.rita)
    assert (again.assignment.id, again.state) == (c000(cast, cast.rita)[0], state)
    assert problems(cast) == ()


def test_d7_who_joined_while_it_was_excluded_does_not_have_it(cast: Cast) -> None:
    exclude(cast)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        enrol_reader(connection, study=cast.study.id, reader=cast.olga.id)
    readmit(cast)
    assert finish_all(cast, cast.olga) == 5
    assert finish_all(cast, cast.rita) == 6
    assert problems(cast) == ()


@pytest.mark.parametrize(
    "design",
    [
        StudyDesign(design="hidden_share", unaided_only_percent=34),
        StudyDesign(design="crossover", washout_days=0),
        StudyDesign(design="parallel"),
    ],
    ids=lambda design: design.design,
)
def test_d7_in_the_other_designs_too_it_comes_back_in_its_arm(
    draft: Cast, tmp_path: Path, design: StudyDesign
) -> None:
    cast = opened(draft, design)
    simulate(cast, readers=2)
    exclude(cast)
    readmit(cast)
    simulate(cast, readers=3)
    unblind(cast)
    assert problems(cast) == ()
    export(cast, tmp_path / "pack")
    assert verify_pack(tmp_path / "pack").problems == ()


def test_b9_the_data_are_the_same_as_if_it_had_never_been_excluded(cast: Cast) -> None:
    finish_all(cast, cast.rita)
    with superuser(cast) as owner:
        before = current_data_sha256(owner, cast.study.id)
        exclude(cast)
        between = current_data_sha256(owner, cast.study.id)
        readmit(cast)
        assert current_data_sha256(owner, cast.study.id) == before != between


def test_d4_it_can_be_excluded_again_and_each_act_is_refused_where_it_makes_no_sense(
    cast: Cast,
) -> None:
    with pytest.raises(Conflict, match="Case c000 is not excluded"):
        readmit(cast)
    exclude(cast)
    with pytest.raises(Conflict, match="Case c000 is excluded already"):
        exclude(cast)
    readmit(cast)
    with pytest.raises(Conflict, match="Case c000 is not excluded"):
        readmit(cast)
    exclude(cast)
    assert finish_all(cast, cast.rita) == 5
    close(cast)
    with pytest.raises(Conflict, match="this is done while it is being prepared or open"):
        readmit(cast)


def test_d7_a_case_excluded_before_the_orders_were_drawn_stays_excluded(draft: Cast) -> None:
    exclude(draft)
    cast = opened(draft, StudyDesign())
    with pytest.raises(Conflict, match="has no place in them, and stays excluded"):
        readmit(cast)
    assert finish_all(cast, cast.rita) == 5


def test_d7_brought_back_before_opening_it_is_in_every_order(draft: Cast) -> None:
    exclude(draft)
    readmit(draft)
    cast = opened(draft, StudyDesign())
    assert finish_all(cast, cast.rita) == 6
    assert problems(cast) == ()


def test_d7_a_waiting_case_comes_back_before_it_is_added_and_not_after(cast: Cast) -> None:
    import_more(cast)
    score_more(cast)

    def act(what: object, code: str) -> None:
        with cast.begin(Role.COORDINATOR, cast.cora) as connection:
            what(connection, study=cast.reload(), case_code=code, reason="A test.", by=cast.cora)

    act(exclude_case, "n500")
    act(readmit_case, "n500")
    act(exclude_case, "n501")
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        add_cases(connection, study=cast.reload(), reason="More are needed.", by=cast.cora)
    with pytest.raises(Conflict, match="Case n501 was excluded before the orders were drawn"):
        act(readmit_case, "n501")
    assert finish_all(cast, cast.rita) == 9
    assert problems(cast) == ()


def test_an_act_without_a_reason_is_refused_and_changes_nothing(cast: Cast) -> None:
    exclude(cast)
    with (
        pytest.raises(InvalidInput, match="Give the reason"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        readmit_case(connection, study=cast.reload(), case_code="c000", reason=" ", by=cast.cora)
    assert finish_all(cast, cast.rita) == 5
