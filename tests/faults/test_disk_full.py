"""F6: a disk that is full in the middle of a study loses nothing that was acknowledged."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.session import Database
from app.domain.reading import Phase
from tests.conftest import Cast, on_database
from tests.reading.steps import at
from tests.web.site import Site
from tests.web.test_saved import form

MOUNT, UMOUNT = shutil.which("mount"), shutil.which("umount")
SIZE = 64  # MiB


@pytest.fixture
def small_disk(postgres: str) -> Iterator[Path]:
    """A disk of a few megabytes, in memory, with a tablespace of the server on it."""
    folder = Path(tempfile.mkdtemp(prefix="reread-disk-"))
    made = MOUNT and os.geteuid() == 0 and subprocess.run(  # noqa: S603 - a disk of our own
        [MOUNT, "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", folder], check=False
    ).returncode == 0  # fmt: skip
    if not made:
        folder.rmdir()
        pytest.skip("no disk can be mounted here: a full disk was NOT tried")
    (folder / "space").mkdir()
    shutil.chown(folder / "space", "pgserver", "pgserver")
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{folder}/space'")
    yield folder
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute("DROP TABLESPACE small")
    subprocess.run([UMOUNT, folder], check=True)  # noqa: S603 - a disk of our own
    folder.rmdir()


@pytest.fixture
def cast_on_it(postgres: str, open_template: Cast, small_disk: Path) -> Iterator[Cast]:
    """The open study, its database on the small disk."""
    assert small_disk.is_dir()
    name = f"small_{uuid4().hex}"
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE open_cast STRATEGY FILE_COPY TABLESPACE small"
        )
    database = Database(on_database(postgres, name), secret=None)
    yield replace(open_template, database=database)
    database.close()
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(disk: Path) -> Path:
    """Write until nothing more goes onto it."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    try:
        with ballast.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(4096))
    except OSError:  # the disk is full
        return ballast


def test_f6_on_a_full_disk_each_call_is_saved_or_refused_and_the_refused_one_is_saved_later(
    cast_on_it: Cast, small_disk: Path
) -> None:
    cast, site = cast_on_it, Site(cast_on_it)
    browser = site.browser(cast.rita)
    acknowledged: list[tuple[str, Phase, str]] = []
    refused = 0

    def post(path: str, values: dict[str, str] | None = None) -> None:
        """Send it; where the disk is full, make room and send the same again."""
        nonlocal refused
        answer = browser.post(path, data=values)
        if answer.status_code == 503:
            refused += 1
            ballast.unlink(missing_ok=True)
            answer = browser.post(path, data=values)
        assert answer.status_code == 303

    for _case in range(6):
        ballast = fill(small_disk)
        post("/studies/bcc-sk/next")
        assignment = at(cast, cast.rita).assignment.id
        for phase in Phase:
            sent = form()
            post(f"/readings/{assignment}/{phase}", sent)
            acknowledged.append((str(assignment), phase, sent["submission_id"]))
            if phase is Phase.UNAIDED:
                post(f"/readings/{assignment}/reveal")
    assert refused > 0, "the disk was never full"
    with psycopg.connect(cast.database.url, options="-c search_path=reread") as owner:
        found = owner.execute("SELECT assignment_id::text, phase, submission_id::text FROM reading")
        assert set(found.fetchall()) == set(acknowledged)
    assert verify_study(records_of(cast.database.url, "bcc-sk")).problems == ()
