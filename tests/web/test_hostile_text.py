"""Whatever text stands in the database, every page shows it as text (I6).

Every column of text that takes it is filled with markup; then everybody asks for every page. Where
the markup became an element or an attribute, the parser that reads the page would meet it.
"""

import io
import zipfile
from html.parser import HTMLParser

import psycopg
import pytest

from app.domain.access import Account, AccountRole
from tests.access.test_parts import invited
from tests.conftest import Cast, make_account
from tests.reading.steps import (
    correct,
    exclude,
    finish,
    readmit,
    rows_of_people,
    superuser,
    unblind,
)
from tests.web.site import Site
from tests.web.test_two_worlds import crawl

HOSTILE = (
    """'"></title></textarea></script><x-canary hx-get="/x" x-canary onx-canary=1>"""
    """{{7*7}}<img src=x onerror="x-canary"> [x](javascript:x-canary) ![y](//x-canary)"""
)
# What the program reads, and nobody writes: the rest of a study would not be shown at all.
NOT_OF_PEOPLE = {
    "algorithm", "allocation_algorithm", "storage_key", "overlay_key", "browser", "language",
    "public_key", "credential_id", "issuer", "address", "code", "email", "content",
}  # fmt: skip
ADDRESSES = {"href", "src", "action", "formaction", "hx-get", "hx-post"}


class Reading(HTMLParser):
    """Notes what a browser would make of the page: our canary as an element or attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _value in attrs}
        addresses = [(value or "").strip().lower() for name, value in attrs if name in ADDRESSES]
        fetched = tag != "a" and any(address.startswith("//") for address in addresses)
        if tag == "x-canary" or any("canary" in name or name.startswith("on") for name in names):
            self.found.append(f"<{tag} {attrs}>")
        # A figure of ours lies in the report's page itself, as an image, which runs nothing.
        run = ("javascript:",) if tag == "img" else ("javascript:", "data:")
        if fetched or any(address.startswith(run) for address in addresses):
            self.found.append(f"<{tag} {addresses}>")

    def handle_data(self, data: str) -> None:
        self.text += "x-canary" in data


def read(html: str) -> Reading:
    parser = Reading()
    parser.feed(html)
    parser.close()
    return parser


def fill(cast: Cast, *, study: bool) -> set[str]:
    """Put it into every column of text that takes it, of the study itself or else; which did."""
    filled: set[str] = set()
    with superuser(cast) as owner:
        columns = owner.execute(
            """SELECT c.table_name, c.column_name FROM information_schema.columns c
               JOIN information_schema.tables t USING (table_schema, table_name)
               WHERE c.table_schema = 'reread' AND c.data_type = 'text'
                   AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
                   AND c.table_name NOT IN ('audit_event', 'audit_head', 'alembic_version')"""
        ).fetchall()
        for table, column in columns:
            if column in NOT_OF_PEOPLE or "sha256" in column or "hash" in column:
                continue
            if (table == "study") is not study:
                continue
            try:
                with owner.transaction():
                    owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                    done = owner.execute(
                        f"UPDATE {table} SET {column} = %s || ctid::text",  # noqa: S608 - ours
                        [HOSTILE],
                    )
                    for guard in guards_of(owner, table):
                        owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")
            except psycopg.Error:
                continue  # a column with words of its own
            if done.rowcount:
                filled.add(f"{table}.{column}")
    return filled


def guards_of(owner: psycopg.Connection, table: str) -> list[str]:
    found = owner.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [table]
    )
    return [name for (name,) in found]


def people(site: Site) -> dict[str, Account]:
    cast = site.cast
    return {
        "Rita": cast.rita,
        "Rolf": cast.rolf,
        "Cora": cast.cora,
        "Ada": make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR),
        "Audrey": invited(site, "auditor", "audrey@example.org"),
        "Jude": invited(site, "adjudicator", "jude@example.org"),
    }


def pages(site: Site, account: Account | None) -> dict[str, Reading]:
    """Every page that somebody gets, as it was read."""
    with site.browser(account) as browser:
        found = crawl(site, browser, {})
    return {
        " ".join(place): read(said.body.decode())
        for place, said in found.items()
        if (b"content-type", b"text/html; charset=utf-8") in said.headers
    }


def assert_text(found: dict[str, Reading], *, at_least: int) -> None:
    assert {place: page.found for place, page in found.items() if page.found} == {}
    shown = [place for place, page in found.items() if page.text]
    assert len(shown) >= at_least, shown


def test_i6_what_stands_in_any_column_is_text_on_every_page(site: Site) -> None:
    cast = site.cast
    exclude(cast)
    readmit(cast)
    finish(cast, cast.rita)
    correct(cast)
    rows_of_people(cast)
    everybody = people(site)
    filled = fill(cast, study=False) | fill(cast, study=True)
    assert {"account.name", "study.title", "study.instructions", "consent_text.text"} <= filled
    assert {"reference_diagnosis.source", "membership.reason", "model_version.card"} <= filled
    assert len(filled) >= 25, filled
    for name, at_least in (("Cora", 12), ("Rita", 2), ("Ada", 2), ("Audrey", 2), ("Jude", 2)):
        assert_text(pages(site, everybody[name]), at_least=at_least)


def test_i6_nor_in_the_results_or_the_files_of_a_study(site: Site) -> None:
    cast = site.cast
    for reader in (cast.rita, cast.rolf):
        for _ in range(6):
            finish(cast, reader)
    rows_of_people(cast)
    fill(cast, study=False)
    unblind(cast)
    fill(cast, study=True)  # what was frozen at opening is compared until now
    assert_text(pages(site, cast.cora), at_least=12)
    with site.browser(cast.cora) as browser:
        answer = browser.get("/studies/bcc-sk/export/export.zip")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as pack:
        html = {
            name: read(pack.read(name).decode())
            for name in pack.namelist()
            if name.endswith((".html", ".svg"))
        }
    assert_text(html, at_least=1)


@pytest.mark.parametrize(
    "page",
    [
        "<p><x-canary>",
        '<p x-canary="1">',
        '<a href="javascript:x">',
        '<img src="//x">',
        '<b onclick="x">',
    ],
)
def test_i6_the_parser_meets_what_was_not_escaped(page: str) -> None:
    assert read(page).found
    assert read("<p>&lt;x-canary&gt;").found == []
