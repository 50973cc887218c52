"""The studies of the torture: one open for all readers, one whose images the worker scores."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from app.actions.design_study import create_study, find_study, open_study
from app.actions.draw_orders import enrol_reader
from app.db import jobs
from app.db.session import Database, Role
from app.db.studies import Study, choose_model
from app.domain.access import Account, AccountRole
from app.storage import Storage
from tests.conftest import case_files, import_files, make_account, score_by_hand
from tests.web.site import open_session

READ = "torture"
SCORED = "torture-scoring"
IMAGES_A_JOB = 4  # small, so that a killed worker leaves many jobs


@dataclass(frozen=True)
class Prepared:
    """What the readers need to begin."""

    tokens: list[str]  # one signed-in session a reader
    canary: str  # the name of the model, which no page may carry before the lock
    cora: Account
    scored: Study


def prepare(
    database: Database,
    storage: Storage,
    *,
    readers: int,
    cases: int,
    images: int,
    progress: Callable[[str], None],
) -> Prepared:
    """Make both studies; the readers' one is open, with predictions made up."""
    cora = make_account(database, "cora@example.org", AccountRole.COORDINATOR)
    canary = f"canary-{secrets.token_hex(8)}"
    progress(f"importing {cases} + {images} generated pictures")
    read = _draft(database, storage, cora, code=READ, cases=cases)
    scored = _draft(database, storage, cora, code=SCORED, cases=images)
    score_by_hand(database, storage, read, model=canary)
    progress(f"enrolling {readers} simulated readers and drawing their orders")
    people = _enrol(database, cora, read, readers)
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        open_study(connection, study=find_study(connection, code=READ), by=cora)
    now = datetime.now(UTC)
    tokens = [open_session(database, account, now=now) for account in people]
    return Prepared(tokens, canary, cora, scored)


def _draft(database: Database, storage: Storage, cora: Account, *, code: str, cases: int) -> Study:
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        create_study(connection, code=code, title="Simulated readers, generated pictures", by=cora)
        study = find_study(connection, code=code)
    if cases:
        import_files(database, storage, study, case_files(cases), by=cora)
    return study


def _enrol(database: Database, cora: Account, study: Study, readers: int) -> list[Account]:
    """Accounts without a password: their sessions are opened for them."""
    people: list[Account] = []
    with psycopg.connect(database.url, options="-c search_path=reread") as owner:
        for number in range(1, readers + 1):
            email, name = f"reader{number}@example.org", f"Simulated reader {number}"
            row = owner.execute(
                """INSERT INTO account (email, name, role, simulated)
                   VALUES (%s, %s, 'reader', true) RETURNING id""",
                [email, name],
            ).fetchone()
            assert row is not None
            people.append(Account(row[0], email, name, AccountRole.READER, simulated=True))
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        for account in people:
            enrol_reader(connection, study=study.id, reader=account.id)
    return people


def ask_for_scores(database: Database, prepared: Prepared) -> None:
    """Queue every image of the draft for the model that the worker has registered."""
    with psycopg.connect(database.url, options="-c search_path=reread") as owner:
        model = owner.execute(
            "SELECT id FROM model_version WHERE name <> %s", [prepared.canary]
        ).fetchone()
        assert model is not None
        images = [
            row[0]
            for row in owner.execute(
                """SELECT id FROM image i WHERE study_id = %s
                   AND NOT EXISTS (SELECT FROM prediction p WHERE p.image_id = i.id)""",
                [prepared.scored.id],
            )
        ]
    with database.begin(Role.COORDINATOR, actor=prepared.cora.id) as connection:
        if find_study(connection, code=SCORED).model_version_id is None:
            choose_model(connection, prepared.scored.id, model[0])
        for start in range(0, len(images), IMAGES_A_JOB):
            jobs.defer_scoring(
                connection,
                study=prepared.scored.id,
                model_version=model[0],
                images=images[start : start + IMAGES_A_JOB],
                priority=jobs.FIRST_SCORING,
            )


def scored_images(database: Database, prepared: Prepared) -> int:
    """How many of the draft's images have their prediction."""
    with psycopg.connect(database.url, options="-c search_path=reread") as owner:
        row = owner.execute(
            "SELECT count(*) FROM prediction WHERE study_id = %s", [prepared.scored.id]
        ).fetchone()
    return row[0] if row else 0
