"""Parts in a study, profiles and consent, held by the database (A2, B2, D3, D10)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest

from app.actions.read_case import lock_aided, reveal
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.domain.errors import Conflict, NotAllowed
from tests.conftest import Cast, make_account
from tests.reading.steps import at, call, close, finish, lock, serve, superuser


@contextmanager
def refused(
    cast: Cast, sentence: str, role: Role, account: Account | None
) -> Iterator[psycopg.Connection]:
    with (
        pytest.raises((Conflict, NotAllowed), match=sentence),
        cast.begin(role, account) as connection,
    ):
        yield connection


def write_consent(cast: Cast, text: str = "I take part of my own will.") -> None:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        connection.execute(
            "INSERT INTO consent_text (study_id, text, written_by) VALUES (%s, %s, %s)",
            [cast.study.id, text, cast.cora.id],
        )


ACCEPT = """INSERT INTO consent (study_id, reader_id, consent_text_id)
            SELECT study_id, %s, id FROM consent_text WHERE version = %s"""


def accept(cast: Cast, reader: Account, version: int = 1) -> None:
    with cast.begin(Role.READER, reader) as connection:
        assert connection.execute(ACCEPT, [reader.id, version]).rowcount == 1


def change_part(cast: Cast, account: UUID, role: str, *, active: bool) -> None:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        connection.execute(
            """INSERT INTO membership (study_id, account_id, role, active, reason, changed_by)
               VALUES (%s, %s, %s, %s, 'A reason.', %s)""",
            [cast.study.id, account, role, active, cast.cora.id],
        )


def appoint(cast: Cast, account: Account, role: str) -> None:
    """As by an accepted invitation."""
    with superuser(cast) as owner:
        owner.execute(
            """INSERT INTO invitation (study_id, email, role, token_sha256, invited_by, created_at,
                   expires_at, accepted_by, accepted_at)
               VALUES (%s, %s, %s, sha256(%s), %s, now(), now(), %s, now())""",
            [
                cast.study.id,
                account.email,
                role,
                f"{account.email} {role}".encode(),
                cast.cora.id,
                account.id,
            ],
        )
    with cast.begin(Role.ACCOUNT, None) as connection:
        connection.execute(
            """INSERT INTO membership (study_id, account_id, role, active, reason, changed_by)
               VALUES (%s, %s, %s, true, 'Accepted an invitation.', %s)""",
            [cast.study.id, account.id, role, cast.cora.id],
        )


# ---------------------------------------------------------------- consent


def test_d3_no_case_is_shown_before_consent_where_the_study_has_a_text(cast: Cast) -> None:
    write_consent(cast)
    assignment = at(cast, cast.rita).assignment.id
    with refused(cast, "begins with your consent", Role.READER, cast.rita) as connection:
        connection.execute(
            "INSERT INTO served (assignment_id, study_id, reader_id) VALUES (%s, %s, %s)",
            [assignment, cast.study.id, cast.rita.id],
        )
    accept(cast, cast.rita)
    serve(cast, cast.rita)


def test_d3_a_text_that_comes_later_stops_the_call_of_a_case_under_way(cast: Cast) -> None:
    serve(cast, cast.rita)
    write_consent(cast)
    with pytest.raises(Conflict, match="begins with your consent"):
        lock(cast, cast.rita)
    accept(cast, cast.rita)
    lock(cast, cast.rita)


def test_a_new_version_waits_until_the_case_under_way_is_finished(cast: Cast) -> None:
    write_consent(cast)
    accept(cast, cast.rita)
    lock(cast, cast.rita)
    write_consent(cast, "Another text.")
    finish_case_under_way(cast)
    with pytest.raises(Conflict, match="version 2"):
        serve(cast, cast.rita)
    with refused(cast, "replaced by a newer version", Role.READER, cast.rolf) as connection:
        connection.execute(ACCEPT, [cast.rolf.id, 1])
    accept(cast, cast.rita, version=2)
    serve(cast, cast.rita)


def finish_case_under_way(cast: Cast) -> None:
    assignment = at(cast, cast.rita).assignment.id
    with cast.begin(Role.READER, cast.rita) as connection:
        reveal(connection, assignment_id=assignment)
    with cast.begin(Role.READER, cast.rita) as connection:
        lock_aided(connection, assignment_id=assignment, submission=call())


def test_a_simulated_reader_is_a_program_and_consents_to_nothing(cast: Cast) -> None:
    write_consent(cast)
    with superuser(cast) as owner:
        owner.execute("ALTER TABLE account DISABLE TRIGGER guard")
        owner.execute(
            "UPDATE account SET simulated = true, password_hash = NULL WHERE id = %s",
            [cast.rolf.id],
        )
    finish(cast, cast.rolf)


def test_nobody_consents_for_another(cast: Cast) -> None:
    write_consent(cast)
    with (
        cast.begin(Role.READER, cast.rolf) as connection,
        pytest.raises(psycopg.Error, match=r"given by the reader|row-level security"),
    ):
        connection.execute(ACCEPT, [cast.rita.id, 1])


def test_after_closing_no_consent_text_is_written(cast: Cast) -> None:
    close(cast)
    with pytest.raises(Conflict, match="nobody reads any more"):
        write_consent(cast)


# ---------------------------------------------------------------- profile


PROFILE = """INSERT INTO reader_profile (study_id, reader_id, years_experience, specialty, training)
             VALUES (%s, %s, %s, 'dermatology', 'specialist')"""


def test_a_profile_may_change_until_the_first_call(cast: Cast) -> None:
    for years in (3, 4):
        with cast.begin(Role.READER, cast.rita) as connection:
            connection.execute(PROFILE, [cast.study.id, cast.rita.id, years])
    lock(cast, cast.rita)
    with refused(cast, "stays as it is", Role.READER, cast.rita) as connection:
        connection.execute(PROFILE, [cast.study.id, cast.rita.id, 5])


@pytest.mark.parametrize("years", [-1, 71])
def test_d11_years_of_experience_are_bounded(cast: Cast, years: int) -> None:
    with (
        cast.begin(Role.READER, cast.rita) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(PROFILE, [cast.study.id, cast.rita.id, years])


# ---------------------------------------------------------------- parts begin and end


def test_d10_a_reader_whose_part_has_ended_records_nothing_more(cast: Cast) -> None:
    assignment = lock(cast, cast.rita)
    change_part(cast, cast.rita.id, "reader", active=False)
    with refused(cast, "has been ended", Role.READER, cast.rita) as connection:
        connection.execute("SELECT reveal_ai(%s, 'x')", [assignment])
    change_part(cast, cast.rita.id, "reader", active=True)
    finish_case_under_way(cast)


def test_ending_twice_changes_nothing(cast: Cast) -> None:
    change_part(cast, cast.rita.id, "reader", active=False)
    with pytest.raises(Conflict, match="ended already"):
        change_part(cast, cast.rita.id, "reader", active=False)


def test_a_coordinator_appoints_nobody_without_an_invitation(cast: Cast) -> None:
    for role in ("adjudicator", "auditor", "reader"):
        with pytest.raises(Conflict, match="invite them"):
            change_part(cast, cast.olga.id, role, active=True)
    for role in ("adjudicator", "auditor"):
        with refused(cast, "by invitation only", Role.ACCOUNT, None) as connection:
            connection.execute(
                """INSERT INTO membership (study_id, account_id, role, active, reason, changed_by)
                   VALUES (%s, %s, %s, true, 'x', %s)""",
                [cast.study.id, cast.olga.id, role, cast.cora.id],
            )
    with refused(cast, "by invitation only", Role.ACCOUNT, None) as connection:
        connection.execute("INSERT INTO coordinator VALUES (%s, %s)", [cast.study.id, cast.olga.id])


PARTS = ["reader", "coordinator", "adjudicator", "auditor"]


@pytest.mark.parametrize("second", PARTS)
@pytest.mark.parametrize("first", ["adjudicator", "auditor", "reader", "coordinator"])
def test_b2_a_person_has_one_part_in_a_study(cast: Cast, first: str, second: str) -> None:
    """An adjudicator never reads, a reader never adjudicates, and so on, in every pair."""
    if first == second:
        return
    holder = {"reader": cast.rita, "coordinator": cast.cora}.get(first, cast.olga)
    if first in {"adjudicator", "auditor"}:
        appoint(cast, holder, first)
    with pytest.raises(Conflict, match=f"is or was {first} of this study"):
        take_part(cast, holder, second)


def take_part(cast: Cast, account: Account, part: str) -> None:
    if part in {"adjudicator", "auditor"}:
        appoint(cast, account, part)
        return
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        if part == "reader":
            connection.execute(
                "INSERT INTO enrolment (study_id, reader_id) VALUES (%s, %s)",
                [cast.study.id, account.id],
            )
        else:
            connection.execute(
                "INSERT INTO coordinator VALUES (%s, %s)", [cast.study.id, account.id]
            )


def test_b2_an_adjudicator_whose_part_has_ended_still_never_reads(cast: Cast) -> None:
    appoint(cast, cast.olga, "adjudicator")
    change_part(cast, cast.olga.id, "adjudicator", active=False)
    with pytest.raises(Conflict, match="was adjudicator"):
        take_part(cast, cast.olga, "reader")


@pytest.mark.parametrize("part", PARTS)
def test_an_administrator_takes_no_part_in_a_study(cast: Cast, part: str) -> None:
    ada = make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    with pytest.raises(NotAllowed, match="takes no part in a study"):
        take_part(cast, ada, part)


# ---------------------------------------------------------------- what each may see


def seen(cast: Cast, role: Role, account: Account, table: str) -> int:
    with cast.begin(role, account) as connection:
        return len(connection.execute(f"SELECT 1 FROM {table}").fetchall())  # noqa: S608 - ours


def test_b2_an_adjudicator_sees_cases_and_diagnoses_while_the_part_lasts(cast: Cast) -> None:
    finish(cast, cast.rita)
    assert seen(cast, Role.ADJUDICATOR, cast.olga, "study_case") == 0
    appoint(cast, cast.olga, "adjudicator")
    for table in ("study_case", "image", "reference_diagnosis"):
        assert seen(cast, Role.ADJUDICATOR, cast.olga, table) == 6
    change_part(cast, cast.olga.id, "adjudicator", active=False)
    assert seen(cast, Role.ADJUDICATOR, cast.olga, "reference_diagnosis") == 0


AUDITED = [
    "study", "coordinator", "study_case", "image", "reference_diagnosis", "prediction",
    "case_prediction", "enrolment", "allocation", "assignment", "served", "reading", "reveal",
    "audit_event", "membership",
]  # fmt: skip


def test_an_auditor_sees_everything_of_the_study_and_nothing_of_another(cast: Cast) -> None:
    finish(cast, cast.rita)
    appoint(cast, cast.olga, "auditor")
    for table in AUDITED:
        assert seen(cast, Role.AUDITOR, cast.olga, table), table
        assert seen(cast, Role.AUDITOR, cast.cora, table) == 0, table
        assert seen(cast, Role.AUDITOR, cast.rita, table) == 0, table


def test_l7_only_its_auditor_says_of_a_study_that_they_looked(cast: Cast) -> None:
    appoint(cast, cast.olga, "auditor")
    look = "SELECT record_event(%s, 'audit.viewed', 'x', '{}')"
    with cast.begin(Role.AUDITOR, cast.olga) as connection:
        connection.execute(look, [cast.study.id])
    for action in ("results.viewed", "export.made", "message.sent", "reading.insert"):
        with refused(cast, "Not an event|does not write", Role.AUDITOR, cast.olga) as connection:
            connection.execute("SELECT record_event(%s, %s, 'x', '{}')", [cast.study.id, action])
    with refused(cast, "Not an event", Role.AUDITOR, cast.rita) as connection:
        connection.execute(look, [cast.study.id])


# ---------------------------------------------------------------- accounts


DISABLE = "UPDATE account SET disabled_at = now() WHERE id = %s"


def test_an_account_is_disabled_by_an_administrator_and_by_nobody_else(cast: Cast) -> None:
    ada = make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    for actor in (None, cast.cora, cast.rolf):
        with refused(cast, "by an administrator", Role.ACCOUNT, actor) as connection:
            connection.execute(DISABLE, [cast.rita.id])
    with cast.begin(Role.ACCOUNT, ada) as connection:
        assert connection.execute(DISABLE, [cast.rita.id]).rowcount == 1


def test_a15_the_last_administrator_cannot_be_removed(cast: Cast) -> None:
    ada = make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    with refused(cast, "their own account", Role.ACCOUNT, ada) as connection:
        connection.execute(DISABLE, [ada.id])


@pytest.mark.parametrize("change", ["role = 'coordinator'", "simulated = true", "id = actor()"])
def test_an_account_stays_what_it_was_made_as(cast: Cast, change: str) -> None:
    with refused(cast, "stays what it was made as", Role.ACCOUNT, cast.cora) as connection:
        connection.execute(f"UPDATE account SET {change} WHERE id = %s", [cast.rita.id])  # noqa: S608


def test_a_diagnosis_is_recorded_in_ones_own_name(draft: Cast) -> None:
    appoint(draft, draft.olga, "adjudicator")
    with refused(draft, "by the one who does it", Role.ADJUDICATOR, draft.olga) as connection:
        connection.execute(
            """INSERT INTO reference_diagnosis
                   (case_id, study_id, diagnosis, source, diagnosed_on, recorded_by)
               SELECT id, study_id, 'SK', 'histopathology', '2020-01-01', %s FROM study_case
               LIMIT 1""",
            [draft.cora.id],
        )
