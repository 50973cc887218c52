"""The migrations up and down, and up again, on a database that is in use."""

import psycopg

from app.db.migrate import migrate, newest_revision
from tests.conftest import Cast


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables "
            "WHERE schemaname IN ('reread', 'jobs')"
        )
        return {row[0] for row in found}


def test_r5_a_filled_database_goes_down_to_nothing_and_up_again(cast: Cast) -> None:
    url = cast.database.url
    before = tables(url)
    cast.database.close()
    migrate(url, secret=None, to="base")
    assert tables(url) == {"reread.alembic_version"}
    migrate(url, secret=None)
    assert tables(url) == before
    with psycopg.connect(url) as connection:
        version = connection.execute("SELECT version_num FROM reread.alembic_version").fetchone()
    assert version == (newest_revision(),)


def test_migrating_twice_changes_nothing(cast: Cast) -> None:
    with psycopg.connect(cast.database.url) as connection:
        before = connection.execute("SELECT count(*) FROM reread.audit_event").fetchone()
    migrate(cast.database.url, secret=None)
    with psycopg.connect(cast.database.url) as connection:
        assert connection.execute("SELECT count(*) FROM reread.audit_event").fetchone() == before
