"""What is measured: a Postgres of its own, an open study, and web applications as processes."""

import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from app.db.migrate import migrate
from app.db.session import Database
from app.storage import Storage
from bench.load.bare import BareReader
from tests.torture import programs, study
from tests.torture.postgres import OwnPostgres

STUDY = study.READ


@dataclass(frozen=True)
class Site:
    """Where everything is, and who reads."""

    postgres: OwnPostgres
    database: Database
    readers: list[BareReader]
    folder: Path
    env: dict[str, str]

    @contextmanager
    def webs(self, count: int) -> Generator[Sequence[programs.Web]]:
        """Run so many web applications, each on a port of its own."""
        with ExitStack() as stack:
            found = [
                programs.Web(log=self.folder / f"web{n}.log", env=self.env) for n in range(count)
            ]
            for web in found:
                stack.callback(web.kill)
                web.start()
            for web in found:
                web.wait_until_ready()
            yield found


@contextmanager
def site(*, readers: int, cases: int) -> Generator[Site]:
    """Build it: generated pictures, predictions made up, everybody signed in."""
    folder = Path(tempfile.mkdtemp(prefix="reread-load-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = stack.enter_context(OwnPostgres(folder))
        migrate(postgres.url(), secret=programs.SECRET)
        database = Database(postgres.url(), secret=programs.SECRET)
        stack.callback(database.close)
        files = folder / "files"
        prepared = study.prepare(
            database,
            Storage(files),
            readers=readers,
            cases=cases,
            images=0,
            progress=lambda said: print(said, flush=True),
        )
        with psycopg.connect(postgres.url(), options="-c search_path=reread") as owner:
            owner.execute("ANALYZE")
            people = dict[str, list[tuple[object, ...]]]()
            for email, *rest in owner.execute(
                """SELECT c.email, c.id, a.id, a.case_id
                   FROM assignment a JOIN account c ON c.id = a.reader_id
                   ORDER BY c.email, a.position"""
            ):
                people.setdefault(email, []).append(tuple(rest))
        found = [
            BareReader(people[email][0][0], token, [row[1:] for row in people[email]])
            for number, token in enumerate(prepared.tokens, start=1)
            for email in [f"reader{number}@example.org"]
        ]
        env = programs.environment(postgres.url(), folder) | {"REREAD_STORAGE": str(files)}
        yield Site(postgres, database, found, folder, env)
