"""A Postgres of our own, to be killed, stopped and set wrongly, with the newest schema in it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.db.migrate import migrate
from tests.torture.postgres import OwnPostgres
from tests.torture.programs import SECRET


@contextmanager
def own_postgres(**settings: str) -> Iterator[OwnPostgres]:
    """A running server on a folder that goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="reread-faults-"))
    try:
        with OwnPostgres(folder, **settings) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        migrate(server.url(), secret=SECRET)
        yield server
