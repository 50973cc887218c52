"""Studies of the four designs for the tests: opened by the actions, read by simulated readers."""

import csv
import io
import zipfile
from dataclasses import replace
from uuid import UUID

from app.actions.design_study import open_study, set_design
from app.actions.read_case import lock_aided, reveal
from app.actions.simulate_readers import Skill, simulate_readers
from app.db.administrator import truth_of
from app.db.session import Role
from app.domain.access import Account
from app.domain.study_design import StudyDesign
from tests.conftest import Cast, import_files, picture, score_by_hand
from tests.reading.steps import call, lock, superuser

DESIGNS = {
    "sequential": StudyDesign(),
    "hidden_share": StudyDesign(design="hidden_share", unaided_only_percent=34),
    "crossover": StudyDesign(design="crossover"),
    "parallel": StudyDesign(design="parallel"),
}


def add_training(cast: Cast, count: int = 2) -> None:
    """Import training cases t0, t1, ... beside the six counted ones; t0 is SK, t1 BCC."""
    table, pack = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    writer.writerow(["case_id", "image", "diagnosis", "diagnosis_confirm", "synthetic", "training"])
    with zipfile.ZipFile(pack, "w") as archive:
        for number in range(count):
            diagnosis = "BCC" if number % 2 else "SK"
            writer.writerow([f"t{number}", f"t{number}.jpg", diagnosis, "generated", "yes", "yes"])
            archive.writestr(f"t{number}.jpg", picture(1000 + number))
    import_files(
        cast.database,
        cast.storage,
        cast.study,
        (table.getvalue().encode(), pack.getvalue()),
        by=cast.cora,
    )


def opened(draft: Cast, design: StudyDesign, *, training: int = 0) -> Cast:
    """The draft with these settings, scored and open."""
    if training:
        add_training(draft, training)
    score_by_hand(draft.database, draft.storage, draft.study)
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        set_design(
            connection,
            study=draft.study,
            design=design,
            title=draft.study.title,
            instructions="Read.",
            by=draft.cora,
        )
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        open_study(connection, study=draft.reload(), by=draft.cora)
    return replace(draft, study=draft.reload())


def simulate(cast: Cast, readers: int = 4) -> None:
    simulate_readers(
        cast.database,
        study=cast.study,
        truth=truth_of(cast.database.url, cast.study.id),
        readers=readers,
        seed=1,
        skill=Skill(),
        progress=lambda _done, _total: None,
        by=cast.cora,
    )


def arm_of(cast: Cast, assignment: UUID) -> str:
    with superuser(cast) as owner:
        return owner.execute("SELECT arm FROM assignment WHERE id = %s", [assignment]).fetchone()[0]


def set_days(cast: Cast, days: float) -> None:
    """Move the clock of days, which no role of the application reaches."""
    with superuser(cast) as owner:
        owner.execute(
            "CREATE OR REPLACE FUNCTION clock_of_days() RETURNS timestamptz LANGUAGE sql VOLATILE "
            f"AS $$ SELECT clock_timestamp() + interval '{days} days' $$"
        )


def read_on(cast: Cast, reader: Account) -> UUID:
    """Read the current case to its end, with AI or without."""
    assignment = lock(cast, reader)
    if arm_of(cast, assignment) == "with_ai":
        with cast.begin(Role.READER, reader) as connection:
            reveal(connection, assignment_id=assignment)
        with cast.begin(Role.READER, reader) as connection:
            lock_aided(connection, assignment_id=assignment, submission=call("SK", 40))
    return assignment


def move_the_clock(cast: Cast, days: int) -> None:
    """Move the server's clock forward for all of a study: every time that is stored follows it.

    Each function of the schema that asks for the time is replaced by one that adds the days.
    """
    now = "clock_timestamp()"
    later = f"({now} + interval '{days} days')"
    with superuser(cast) as owner:
        for (written,) in owner.execute(
            """SELECT pg_get_functiondef(p.oid) FROM pg_proc p
               JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE n.nspname = 'reread' AND p.prosrc LIKE %s""",
            [f"%{now}%"],
        ).fetchall():
            owner.execute(written.replace(now, later))
