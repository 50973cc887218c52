"""A program goes on working on the schema after its own: migrations may run while people read.

The schema to come has more columns than this one, here one more in every table.
"""

import re
from pathlib import Path

import psycopg

from app.domain.reading import ReadingState
from tests.conftest import Cast
from tests.reading.steps import at, finish
from tests.web.site import Site

ROOT = Path(__file__).resolve().parents[2]
# All columns of a table or function, where they reach the program. The log's may be asked for: they
# are what is hashed.
ALL_OF = re.compile(r"(?<!\()SELECT \* FROM (?!audit_event\b|installation_log\b)\w+")
# What an older program would miss, or would be refused by.
TAKEN_AWAY = re.compile(
    r"DROP (?:COLUMN|TABLE|VIEW)|RENAME (?:COLUMN |TO )|ALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE"
    r"|SET NOT NULL|ADD (?:COLUMN )?\w+ (?![^,;]*(?:DEFAULT|GENERATED))[^,;]*NOT NULL",
    re.IGNORECASE,
)
NOT_A_CHANGE = re.compile(r"--[^\n]*|CREATE TABLE.*?\n\);", re.DOTALL)


def test_r5_with_a_further_column_in_every_table_readers_and_coordinators_go_on(
    cast: Cast,
) -> None:
    site = Site(cast)
    reader, coordinator = site.browser(cast.rita), site.browser(cast.cora)
    finish(cast, cast.rita)
    with psycopg.connect(cast.database.url, options="-c search_path=reread") as owner:
        tables = owner.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'reread'"
        ).fetchall()
        for (table,) in tables:
            owner.execute(f"ALTER TABLE {table} ADD COLUMN later text")
    assert len(tables) > 30
    finish(cast, cast.rita)
    assert at(cast, cast.rita).state is ReadingState.SERVED
    assert reader.get("/studies/bcc-sk/read").status_code == 200
    for page in ("", "/cases", "/readers", "/monitor", "/design"):
        answer = coordinator.get(f"/studies/bcc-sk{page}")
        assert answer.status_code == 200, page


def test_r5_no_query_asks_for_all_columns() -> None:
    """A function of the next schema may give more of them than this program has names for."""
    found = [
        f"{path.name}: {asked}"
        for path in sorted((ROOT / "app").rglob("*.py"))
        for asked in ALL_OF.findall(path.read_text())
    ]
    assert found == []
    assert ALL_OF.search("SELECT * FROM shown_ai(%s)")


def test_r5_no_migration_takes_away_what_the_version_before_it_uses() -> None:
    """Columns and tables are added; a new column that is never null has a default."""
    found: list[str] = []
    for path in sorted((ROOT / "migrations" / "versions").glob("*.sql")):
        changes = NOT_A_CHANGE.sub("", path.read_text())
        found += [f"{path.name}: {one}" for one in TAKEN_AWAY.findall(changes)]
    assert found == []
    assert TAKEN_AWAY.search("ALTER TABLE reading ADD COLUMN mood text NOT NULL;")
