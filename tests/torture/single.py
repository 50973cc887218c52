"""One small study on a Postgres of our own, read by its actions: for faults of the server alone."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg

from app.actions.read_case import current_case, lock_aided, lock_unaided, reveal, serve_next
from app.db.migrate import migrate
from app.db.session import Database, Role
from app.storage import Storage
from tests.reading.steps import call
from tests.torture.postgres import OwnPostgres
from tests.torture.programs import SECRET
from tests.torture.study import READ, prepare


@dataclass
class SingleReader:
    """The only reader of the study, at whatever step they are."""

    database: Database
    reader: UUID
    study: UUID

    def read_a_case(self) -> None:
        """All four steps, each committed."""
        with self.database.begin(Role.READER, actor=self.reader) as connection:
            serve_next(connection, study=self.study)
            case = current_case(connection, study=self.study)
        assert case is not None
        one = case.assignment.id
        with self.database.begin(Role.READER, actor=self.reader) as connection:
            lock_unaided(connection, assignment_id=one, submission=call())
        with self.database.begin(Role.READER, actor=self.reader) as connection:
            reveal(connection, assignment_id=one)
        with self.database.begin(Role.READER, actor=self.reader) as connection:
            lock_aided(connection, assignment_id=one, submission=call(), pause=True)


def single_reader(server: OwnPostgres, files: Path, *, cases: int) -> SingleReader:
    """Make the study; the caller closes the database."""
    migrate(server.url(), secret=SECRET)
    database = Database(server.url(), secret=SECRET)
    prepare(database, Storage(files), readers=1, cases=cases, images=0, progress=lambda _said: None)
    with psycopg.connect(server.url(), options="-c search_path=reread") as owner:
        row = owner.execute(
            "SELECT reader_id, study_id FROM enrolment JOIN study s ON s.id = study_id "
            "WHERE s.code = %s",
            [READ],
        ).fetchone()
    assert row is not None
    return SingleReader(database, *row)
