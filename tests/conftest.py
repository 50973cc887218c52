"""A real Postgres built by the migrations, a fresh database a test, and the cast.

The cast: Cora coordinates the study "bcc-sk"; Rita and Rolf read in it; Olga coordinates nothing.
"""

import csv
import hashlib
import io
import logging
import os
import shutil
import signal
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from app.actions.design_study import create_study, find_study, open_study
from app.actions.draw_orders import enrol_reader
from app.actions.import_cases import import_cases
from app.actions.manage_accounts import add_account
from app.db.embedded import embedded_postgres
from app.db.migrate import migrate
from app.db.predictions import insert_case_predictions, insert_prediction, register_model
from app.db.session import Database, Role
from app.db.studies import Study
from app.domain.access import Account, AccountRole
from app.image_source import open_image_source
from app.storage import Storage
from tests.s3 import Bucket, a_bucket, start_server, stop_server

PASSWORD = "a password for the tests"

# What is tried is the same in every run, and may take as long as a busy machine needs. Another
# draw: pytest --hypothesis-profile=drawn.
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("drawn", settings.get_profile("same"), derandomize=False)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """Take back what a command run inside the test set for its whole process."""
    loggers = [logging.getLogger(name) for name in (None, "procrastinate", "uvicorn")]
    before = [(one.handlers[:], one.level) for one in loggers]
    on_sigterm = signal.getsignal(signal.SIGTERM)
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    umask = os.umask(0o022)  # it can be read only by setting one
    os.umask(umask)
    yield
    for one, (handlers, level) in zip(loggers, before, strict=True):
        one.handlers[:], one.level = handlers, level
    signal.signal(signal.SIGTERM, on_sigterm)
    if threads is None:
        os.environ.pop("OPENBLAS_NUM_THREADS", None)
    os.umask(umask)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Give the administrator's URL of a server whose database "reread" has the newest schema.

    Its folder is not pytest's own, which a second run of pytest closes to other users, and as
    root the server runs as another user.
    """
    folder = Path(tempfile.mkdtemp(prefix="reread-tests-"))
    folder.chmod(0o755)
    try:
        with embedded_postgres(folder / "data") as url:
            with psycopg.connect(url, autocommit=True) as connection:
                # Nothing here survives the run, so nothing need reach the disk or be tidied up.
                for setting in ("fsync", "full_page_writes", "autovacuum"):
                    connection.execute(f"ALTER SYSTEM SET {setting} = off")
                connection.execute("SELECT pg_reload_conf()")
            migrate(url, secret=None)
            yield url
    finally:
        shutil.rmtree(folder)


def on_database(url: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(url, dbname=name)


@contextmanager
def copy_of(postgres: str, template: str) -> Iterator[str]:
    """The administrator's URL of a fresh copy of a database, dropped afterwards."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield on_database(postgres, name)
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def administrator_url(postgres: str) -> Iterator[str]:
    """An empty study database of the newest schema."""
    with copy_of(postgres, "reread") as url:
        yield url


@pytest.fixture
def database(administrator_url: str) -> Iterator[Database]:
    database = Database(administrator_url, secret=None)
    yield database
    database.close()


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    """One folder of files for all tests: keys are random, nothing is overwritten."""
    return Storage(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """The port of an S3 server on this machine."""
    server, port = start_server()
    yield port
    stop_server(server)


@pytest.fixture(scope="module")
def bucket(s3_port: int) -> Iterator[Bucket]:
    """A bucket for the tests of a file, and the environment in which s3fs finds it."""
    with a_bucket(s3_port) as made:
        yield made


def make_account(database: Database, email: str, role: AccountRole) -> Account:
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        return add_account(
            connection,
            email=email,
            name=email.split("@", maxsplit=1)[0].title(),
            role=role,
            password=PASSWORD,
        )


def picture(number: int, size: tuple[int, int] = (96, 72)) -> bytes:
    """A small generated picture, different for every number."""
    noise = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG", quality=80)
    return out.getvalue()


def overlay() -> bytes:
    """A small transparent picture, as a map of evidence is one."""
    out = io.BytesIO()
    Image.new("RGBA", (96, 72), (230, 120, 40, 90)).save(out, "PNG")
    return out.getvalue()


def case_files(count: int) -> tuple[bytes, bytes]:
    """A case file and its ZIP of images: cases c000, c001, ...; every third one is SK."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["case_id", "image", "diagnosis", "diagnosis_confirm", "synthetic"])
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w") as archive:
        for number in range(count):
            diagnosis = "SK" if number % 3 == 0 else "BCC"
            writer.writerow([f"c{number:03}", f"p{number}.jpg", diagnosis, "generated", "yes"])
            archive.writestr(f"p{number}.jpg", picture(number))
    return table.getvalue().encode(), pack.getvalue()


def import_files(
    database: Database,
    storage: Storage,
    study: Study,
    files: tuple[bytes, bytes],
    *,
    by: Account,
    without_diagnosis: bool = False,
) -> None:
    """Import a case file and its ZIP of images."""
    table, pack = files
    with open_image_source(io.BytesIO(pack), name="images.zip") as source:
        import_cases(
            database,
            study=study,
            csv=table,
            name="cases.csv",
            source=source,
            storage=storage,
            progress=lambda _done, _total: None,
            by=by,
            without_diagnosis=without_diagnosis,
        )


def score_by_hand(
    database: Database,
    storage: Storage,
    study: Study,
    *,
    probability: float = 0.75,
    model: str = "made up for a test",
    shown: bytes | None = None,
    performance: Mapping[str, Any] | None = None,
) -> None:
    """Predictions without a model, for tests of everything behind them; `shown`: every map."""
    shown = shown or overlay()
    with database.begin(Role.WORKER, actor=None) as connection:
        version = register_model(
            connection,
            name=model,
            backbone="none",
            weights_sha256="0" * 64,
            preprocessing="none",
            threshold=0.5,
            map_scale=1.0,
            map_grid=(14, 14),
            demonstration=True,
            card="No model.",
            performance=performance,
        )
        images = connection.execute(
            "SELECT id, case_id FROM image WHERE study_id = %s ORDER BY case_id", [study.id]
        ).fetchall()
        for number, (image, _case) in enumerate(images):
            insert_prediction(
                connection,
                study=study.id,
                image=image,
                model_version=version,
                probability=probability if number % 2 else 1 - probability,
                overlay_key=storage.put(shown, suffix=".png"),
                overlay_sha256=hashlib.sha256(shown).hexdigest(),
                device="none",
            )
        insert_case_predictions(
            connection, cases=[case for _image, case in images], model_version=version
        )
    with psycopg.connect(database.url, options="-c search_path=reread") as owner:
        owner.execute("UPDATE study SET model_version_id = %s WHERE id = %s", [version, study.id])


@dataclass(frozen=True)
class Cast:
    """The people of the tests and their study."""

    database: Database
    storage: Storage
    cora: Account
    olga: Account
    rita: Account
    rolf: Account
    study: Study

    def begin(self, role: Role, account: Account | None):
        return self.database.begin(role, actor=account.id if account else None)

    def reload(self) -> Study:
        with self.begin(Role.COORDINATOR, self.cora) as connection:
            return find_study(connection, code=self.study.code)


def make_cast(database: Database, storage: Storage, *, cases: int) -> Cast:
    cora = make_account(database, "cora@example.org", AccountRole.COORDINATOR)
    olga = make_account(database, "olga@example.org", AccountRole.COORDINATOR)
    rita = make_account(database, "rita@example.org", AccountRole.READER)
    rolf = make_account(database, "rolf@example.org", AccountRole.READER)
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        create_study(connection, code="bcc-sk", title="BCC or SK", seed=1, by=cora)
        study = find_study(connection, code="bcc-sk")
    import_files(database, storage, study, case_files(cases), by=cora)
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        for reader in (rita, rolf):
            enrol_reader(connection, study=study.id, reader=reader.id)
        study = find_study(connection, code="bcc-sk")
    return Cast(database, storage, cora, olga, rita, rolf, study)


def scored_and_open(draft: Cast) -> Cast:
    """The draft with predictions made by hand, open, its orders drawn."""
    score_by_hand(draft.database, draft.storage, draft.study)
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        open_study(connection, study=draft.reload(), by=draft.cora)
    return replace(draft, study=draft.reload())


@contextmanager
def open_cast_of(postgres: str, storage: Storage, *, cases: int) -> Iterator[Cast]:
    """Like the fixture `cast`, with so many cases, in a database of its own."""
    with copy_of(postgres, "reread") as url:
        database = Database(url, secret=None)
        yield scored_and_open(make_cast(database, storage, cases=cases))
        database.close()


@pytest.fixture(scope="session")
def draft_template(postgres: str, storage: Storage) -> Cast:
    """The database "draft_cast", copied by tests: six cases, no predictions, two readers."""
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE draft_cast TEMPLATE reread STRATEGY FILE_COPY")
    database = Database(on_database(postgres, "draft_cast"), secret=None)
    made = make_cast(database, storage, cases=6)
    database.close()
    return made


@pytest.fixture(scope="session")
def open_template(postgres: str, draft_template: Cast) -> Cast:
    """The database "open_cast": the same with predictions, open, both orders drawn."""
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE open_cast TEMPLATE draft_cast STRATEGY FILE_COPY")
    database = Database(on_database(postgres, "open_cast"), secret=None)
    made = scored_and_open(replace(draft_template, database=database))
    database.close()
    return made


@pytest.fixture
def draft(postgres: str, draft_template: Cast) -> Iterator[Cast]:
    """Everybody, and a draft of six cases without predictions."""
    with copy_of(postgres, "draft_cast") as url:
        database = Database(url, secret=None)
        yield replace(draft_template, database=database)
        database.close()


@pytest.fixture
def cast(postgres: str, open_template: Cast) -> Iterator[Cast]:
    """Everybody, and the study open: six cases scored, two readers with their orders."""
    with copy_of(postgres, "open_cast") as url:
        database = Database(url, secret=None)
        yield replace(open_template, database=database)
        database.close()


@pytest.fixture(scope="module")
def open_copy(postgres: str, open_template: Cast) -> Iterator[Cast]:
    """Like `cast`, but one for all tests of a file: for those that only look."""
    with copy_of(postgres, "open_cast") as url:
        database = Database(url, secret=None)
        yield replace(open_template, database=database)
        database.close()


@pytest.fixture
def site(cast: Cast):
    """The web application over the open study, its clock standing still."""
    from tests.web.site import Site

    return Site(cast)


@pytest.fixture(scope="module")
def open_site(open_copy: Cast):
    """Like `site`, but one for all tests of a file: for those that only look."""
    from tests.web.site import Site

    return Site(open_copy)


@pytest.fixture(scope="session")
def photographs() -> Path:
    """The folder of real photographs, where one is given."""
    folder = os.environ.get("REREAD_TEST_IMAGES")
    if not folder:
        pytest.skip("REREAD_TEST_IMAGES names no folder of real photographs")
    return Path(folder)
