"""The monitor counts states and times from the assignments, and shows nothing else (B8)."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.actions.amend_study import exclude_case
from app.actions.design_study import set_design
from app.db import monitor
from app.db.session import Role
from app.domain.pace import GROUP, STALLED, TOO_FAST, Pace
from app.domain.reading import ReadingState
from app.domain.study_design import StudyDesign
from tests.conftest import Cast, scored_and_open
from tests.reading.steps import bring_to, close, finish, lock, superuser
from tests.web.site import Site

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def paces(cast: Cast) -> dict[str, monitor.ReaderPace]:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        return {pace.name: pace for pace in monitor.paces_of(connection, cast.study.id)}


@pytest.mark.parametrize(
    ("state", "letters"),
    [
        (ReadingState.ASSIGNED, "aaaaaa"),
        (ReadingState.SERVED, "saaaaa"),
        (ReadingState.LOCKED, "laaaaa"),
        (ReadingState.REVEALED, "raaaaa"),
        (ReadingState.FINISHED, "fsaaaa"),
    ],
)
def test_each_state_of_a_case_has_its_place_in_the_grid(
    cast: Cast, state: ReadingState, letters: str
) -> None:
    bring_to(cast, cast.rita, state)
    found = paces(cast)
    assert found["Rita"].states == letters
    assert found["Rolf"].states == "aaaaaa"


def test_missing_is_what_was_assigned_and_is_not_finished(cast: Cast) -> None:
    finish(cast, cast.rita)
    finish(cast, cast.rita)
    pace = paces(cast)["Rita"].pace
    assert (pace.finished, pace.missing) == (2, 4)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        uncovered = monitor.uncovered_cases(connection, cast.study.id, most=100)
    assert sum(case.assigned - case.finished for case in uncovered) == 4 + 6
    assert all(case.assigned == 2 for case in uncovered)


def test_calls_made_within_seconds_are_counted_as_too_fast(cast: Cast) -> None:
    """The steps of a test take no time: each of them is too fast for a person."""
    finish(cast, cast.rita)
    finish(cast, cast.rita)
    pace = paces(cast)["Rita"]
    assert (pace.too_fast, pace.idle) == (2, 0)
    assert pace.median_unaided is not None
    assert 0 < pace.median_unaided < TOO_FAST.total_seconds()


def test_a_case_left_open_is_counted_as_idle(cast: Cast) -> None:
    finish(cast, cast.rita)
    for statement in (
        "ALTER TABLE served DISABLE TRIGGER no_change",
        """UPDATE served SET served_at = served_at - interval '11 minutes'
           WHERE assignment_id IN (SELECT assignment_id FROM reading)""",
        "ALTER TABLE served ENABLE ALWAYS TRIGGER no_change",
    ):
        with superuser(cast) as owner:
            owner.execute(statement)
    assert (paces(cast)["Rita"].idle, paces(cast)["Rita"].too_fast) == (1, 0)


def pace_of(states: str, last_step_at: datetime | None = None) -> Pace:
    return Pace(states, 0, 0, None, None, last_step_at)


def test_a_reader_is_stalled_when_cases_are_left_and_nothing_happens() -> None:
    longer = NOW - STALLED
    assert pace_of("fa", longer).stalled(now=NOW, since=longer)
    assert not pace_of("fa", longer + timedelta(seconds=1)).stalled(now=NOW, since=longer)
    assert not pace_of("ff", longer).stalled(now=NOW, since=longer), "nothing is left to do"
    assert pace_of("aa").stalled(now=NOW, since=longer), "never began"
    assert not pace_of("aa").stalled(now=NOW, since=NOW)


def test_the_cells_say_the_same_as_the_words_in_tens() -> None:
    pace = pace_of("f" * 12 + "l" + "a" * 9)
    cells = "".join(run.cells for run in pace.runs)
    assert [len(group) for group in cells.split()] == [GROUP, GROUP, 2]
    assert [run.state for run in pace.runs] == [
        ReadingState.FINISHED,
        ReadingState.LOCKED,
        ReadingState.ASSIGNED,
    ]
    assert pace.in_words == "12 finished, 1 unaided call alone, 9 not shown yet"
    assert pace_of("").in_words == "no order drawn yet"


def test_the_page_follows_for_half_an_hour_and_while_the_study_is_open(site: Site) -> None:
    browser = site.browser(site.cast.cora)
    page = browser.get("/studies/bcc-sk/monitor")
    until = int((site.clock() + timedelta(minutes=30)).timestamp())
    assert f"/studies/bcc-sk/monitor/live?until={until}" in page.text
    live = f"/studies/bcc-sk/monitor/live?until={until}"
    assert "hx-get" in browser.get(live).text
    site.clock.advance(minutes=30)
    assert "hx-get" not in browser.get(live).text
    assert "hx-get" in browser.get(f"{live}00000").text, "at most half an hour from now"
    close(site.cast)
    assert "hx-get" not in browser.get("/studies/bcc-sk/monitor").text


def test_b8_the_monitor_shows_neither_cases_in_order_nor_calls(site: Site) -> None:
    """Positions only: which case stands where stays with the reader's order."""
    finish(site.cast, site.cast.rita)
    grid = site.browser(site.cast.cora).get("/studies/bcc-sk/monitor").text.split("<h2>Times")[0]
    assert "1 finished, 1 shown, no call, 4 not shown yet" in grid
    assert "c000" not in grid
    assert "BCC or SK" not in grid.split('<div id="live"')[1]


def test_a_case_that_is_read_without_the_ai_is_finished_with_its_unaided_call(draft: Cast) -> None:
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        set_design(
            connection,
            study=draft.study,
            design=StudyDesign(design="parallel"),
            title="BCC or SK",
            instructions="Look.",
            by=draft.cora,
        )
    scored_and_open(draft)
    for reader in (draft.rita, draft.rolf):
        lock(draft, reader)
    assert {pace.states[0] for pace in paces(draft).values()} == {"f", "l"}
    assert {pace.pace.missing for pace in paces(draft).values()} == {5, 6}


def test_an_excluded_case_is_missing_nowhere(cast: Cast) -> None:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        exclude_case(
            connection, study=cast.study, case_code="c003", reason="Blurred.", by=cast.cora
        )
    assert {len(pace.states) for pace in paces(cast).values()} == {5}
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        left = monitor.uncovered_cases(connection, cast.study.id, most=100)
    assert "c003" not in {case.code for case in left}


def test_d8_a_time_below_nought_is_counted_as_too_fast_and_is_not_made_nought(cast: Cast) -> None:
    """The server's clock was set back between the images and the call: it shows as it is."""
    lock(cast, cast.rita)
    with superuser(cast) as owner:
        owner.execute("ALTER TABLE served DISABLE TRIGGER USER")
        owner.execute("UPDATE served SET served_at = served_at + interval '1 hour'")
    found = paces(cast)["Rita"]
    assert found.too_fast == 1
    assert found.median_unaided is not None
    assert -3600 <= found.median_unaided < -3000
    page = Site(cast).browser(cast.cora).get("/studies/bcc-sk/monitor").text
    assert re.search(r"[-\u2212]3,?(599|600)", page), "and the coordinator sees it"
