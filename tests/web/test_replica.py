"""The read replica: the monitor may be behind; nothing is released and nothing written by it."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app.db.session import Database, Role
from app.domain.reading import ReadingState
from tests.conftest import Cast, copy_of
from tests.reading.steps import at, bring_to
from tests.web.site import Site


@pytest.fixture
def two(cast: Cast, postgres: str) -> Iterator[tuple[Site, Cast]]:
    """The site over a database and a "replica" of it, which is a copy of one moment."""
    bring_to(cast, cast.rita, ReadingState.SERVED)
    cast.database.close()
    with copy_of(postgres, str(conninfo_to_dict(cast.database.url)["dbname"])) as url:
        copied = replace(cast, database=Database(url, secret=None))
        both = Database(cast.database.url, secret=None, replica_url=url)
        yield Site(replace(cast, database=both)), copied
        both.close()
        copied.database.close()


def test_b1_a_replica_that_says_revealed_releases_nothing(two: tuple[Site, Cast]) -> None:
    """Ahead, as no replica can be: whatever it says, a reader's pages do not ask it."""
    site, copied = two
    bring_to(copied, copied.rita, ReadingState.REVEALED)
    browser = site.browser(copied.rita)
    assignment = at(site.cast, copied.rita).assignment.id
    assert browser.get(f"/readings/{assignment}/overlays/1").status_code == 404
    page = browser.get("/studies/bcc-sk/read").text
    assert "Lock" in page
    assert "overlays/" not in page
    assert browser.post(f"/readings/{assignment}/reveal").status_code == 409


def test_the_monitor_shows_what_the_replica_knows_and_the_study_page_the_newest(
    two: tuple[Site, Cast],
) -> None:
    site, copied = two
    browser = site.browser(site.cast.cora)
    behind = browser.get("/studies/bcc-sk/monitor/live").text
    bring_to(site.cast, site.cast.rita, ReadingState.LOCKED)
    assert browser.get("/studies/bcc-sk/monitor/live").text == behind
    bring_to(copied, copied.rita, ReadingState.LOCKED)
    assert browser.get("/studies/bcc-sk/monitor/live").text != behind


def test_what_watches_cannot_write(cast: Cast) -> None:
    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        cast.database.begin_reading(Role.COORDINATOR, actor=cast.cora.id) as connection,
    ):
        connection.execute("UPDATE study SET title = 'Another'")
