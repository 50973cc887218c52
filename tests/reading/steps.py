"""The steps of a reading as the actions take them, and hands on the database for the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg

from app.actions.amend_study import correct_reading, exclude_case, readmit_case, void_reading
from app.actions.design_study import close_study, unblind_study
from app.actions.read_case import (
    CaseView,
    current_case,
    lock_aided,
    lock_unaided,
    reveal,
    serve_next,
)
from app.db import people, reading_keys
from app.db.session import Role
from app.domain.access import Account, Part
from app.domain.reading import ReadingState, Submission, Viewing
from app.domain.reading_keys import ReadingKeys
from app.domain.study_design import Management
from tests.conftest import Cast


def call(answer: str = "BCC", confidence: int = 70) -> Submission:
    return Submission(answer, confidence, uuid4(), None)


def at(cast: Cast, reader: Account) -> CaseView | None:
    """The reader's current case, as the server holds it."""
    with cast.begin(Role.READER, reader) as connection:
        return current_case(connection, study=cast.study.id)


def serve(cast: Cast, reader: Account) -> UUID:
    with cast.begin(Role.READER, reader) as connection:
        serve_next(connection, study=cast.study.id)
    return at(cast, reader).assignment.id


def lock(cast: Cast, reader: Account, submission: Submission | None = None) -> UUID:
    """Serve the next case and lock an unaided call."""
    assignment = serve(cast, reader)
    with cast.begin(Role.READER, reader) as connection:
        lock_unaided(connection, assignment_id=assignment, submission=submission or call())
    return assignment


def show_ai(cast: Cast, reader: Account, submission: Submission | None = None) -> UUID:
    assignment = lock(cast, reader, submission)
    with cast.begin(Role.READER, reader) as connection:
        reveal(connection, assignment_id=assignment)
    return assignment


def finish(cast: Cast, reader: Account) -> UUID:
    """Read one case to its end; the next one is served with it."""
    assignment = show_ai(cast, reader)
    looked = replace(call("SK", 40), viewing=Viewing(map_milliseconds=1500))
    lock_aided_call(cast, reader, assignment, looked)
    return assignment


def lock_aided_call(cast: Cast, reader: Account, assignment: UUID, submission: Submission) -> None:
    with cast.begin(Role.READER, reader) as connection:
        lock_aided(connection, assignment_id=assignment, submission=submission)


def bring_to(cast: Cast, reader: Account, state: ReadingState) -> UUID:
    """Bring the reader's current case into a state and return its assignment."""
    steps = {
        ReadingState.SERVED: serve,
        ReadingState.LOCKED: lock,
        ReadingState.REVEALED: show_ai,
        ReadingState.FINISHED: finish,
    }
    if state is ReadingState.ASSIGNED:
        return at(cast, reader).assignment.id
    return steps[state](cast, reader)


def close(cast: Cast) -> None:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        close_study(connection, study=cast.study, by=cast.cora)


def unblind(cast: Cast) -> None:
    close(cast)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        unblind_study(connection, study=cast.reload(), reason="All readings are in.", by=cast.cora)


def exclude(cast: Cast) -> None:
    """Exclude the case that comes first by its code."""
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        exclude_case(
            connection, study=cast.reload(), case_code="c000", reason="No lesion.", by=cast.cora
        )


def readmit(cast: Cast) -> None:
    """Undo that exclusion."""
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        readmit_case(
            connection, study=cast.reload(), case_code="c000", reason="It has one.", by=cast.cora
        )


def correct(
    cast: Cast,
    kind: str = "correct",
    phase: str = "unaided",
    management: Management | None = None,
) -> UUID:
    """Correct or void the reading of this phase that was locked first; returns its id."""
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        reading = connection.execute(
            "SELECT id FROM reading WHERE phase = %s ORDER BY locked_at", [phase]
        ).fetchone()[0]
        about = {"study": cast.study, "reading": reading, "reason": "Pressed the wrong key."}
        if kind == "void":
            void_reading(connection, **about, by=cast.cora)
        else:
            correct_reading(
                connection,
                **about,
                call="SK",
                confidence=20,
                management=management,
                by=cast.cora,
            )
    return reading


def override_although_sequential(cast: Cast) -> None:
    """A row of washout_override in a study that has none, for tests of every table."""
    with superuser(cast, actor=cast.cora) as owner:
        owner.execute("ALTER TABLE washout_override DISABLE TRIGGER guard")
        owner.execute(
            """INSERT INTO washout_override
                   (enrolment_id, study_id, reader_id, days, reason, author)
               SELECT id, study_id, reader_id, 7, 'For a test.', %s FROM enrolment LIMIT 1""",
            [cast.cora.id],
        )
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        owner.execute("ALTER TABLE washout_override ENABLE ALWAYS TRIGGER guard")


@contextmanager
def superuser(
    cast: Cast, *, actor: Account | None = None, replica: bool = False
) -> Iterator[psycopg.Connection]:
    """One transaction as the server's superuser; `replica` switches ordinary triggers off."""
    with psycopg.connect(cast.database.url, options="-c search_path=reread") as connection:
        if replica:
            connection.execute("SET LOCAL session_replication_role = replica")
        if actor:
            connection.execute("SELECT set_config('reread.actor', %s, true)", [str(actor.id)])
        yield connection


def rows_of_people(cast: Cast) -> None:
    """Fill the tables about people: consent, Rolf's profile and ended part, a token, keys."""
    with superuser(cast, actor=cast.cora) as owner:
        owner.execute(
            """INSERT INTO api_token
                   (account_id, name, scopes, token_sha256, created_at, expires_at)
               VALUES (%s, 'a token', '{read}', sha256('t'), now(), now())""",
            [cast.cora.id],
        )
    study, rolf = cast.study.id, cast.rolf.id
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        people.insert_consent_text(connection, study=study, text="A text.", by=cast.cora.id)
    for reader in (cast.rita, cast.rolf):
        with cast.begin(Role.READER, reader) as connection:
            text = people.consent_texts(connection, study)[0]
            people.insert_consent(connection, study=study, text=text.id)
            reading_keys.set_keys(connection, ReadingKeys(pause_minutes=30))
    with superuser(cast, actor=cast.rolf) as owner:  # also where a first call is locked already
        owner.execute("ALTER TABLE reader_profile DISABLE TRIGGER guard_step")
        owner.execute(
            """INSERT INTO reader_profile
                   (study_id, reader_id, years_experience, specialty, training)
               VALUES (%s, %s, 3, 'dermatology', 'specialist')""",
            [study, rolf],
        )
    with superuser(cast) as owner:
        owner.execute("ALTER TABLE reader_profile ENABLE ALWAYS TRIGGER guard_step")
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        people.insert_membership(
            connection,
            study=study,
            account=rolf,
            part=Part.READER,
            active=False,
            reason="Fell ill.",
            changed_by=cast.cora.id,
        )


# table -> columns, and values of the study's row.
_SEEN_BEFORE = {
    "training_list": (
        "model_version_id, images, list_sha256",
        "model_version_id, 1, repeat('0', 64)",
    ),
    "training_image": (
        "model_version_id, image, split, sha256, perceptual_hash",
        "model_version_id, 'a.jpg', 'train', repeat('0', 64), 0::bit(64)",
    ),
    "seen_before_acknowledgement": (
        "study_id, matches, matches_sha256, reason, author, made_at",
        "id, 1, repeat('0', 64), 'looked at', created_by, now()",
    ),
}
_ASIDE = (
    ("training_list", "guard_step"),
    ("training_list", "check_list"),
    ("training_image", "guard_step"),
    ("seen_before_acknowledgement", "guard"),
)


def rows_of_seen_before(cast: Cast) -> None:
    """A row in each of these tables, past their own guards, for tests of what holds for all."""
    with superuser(cast) as owner:
        for table, guard in _ASIDE:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
        for table, (columns, values) in _SEEN_BEFORE.items():
            owner.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM study")  # noqa: S608
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, guard in _ASIDE:
            owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")
