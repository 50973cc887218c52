"""What is brought in leaves nothing behind but its pixels: no name, no DICOM attribute (P2, P4)."""

import csv
import io
import logging
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Cast, picture
from tests.reading.steps import superuser
from tests.web.site import Site

WORD = "plover"  # of these tests alone: all tests share one folder of files
NAME = f"DOE^JANE-1961-{WORD}"


def files(name: str, data: bytes) -> dict[str, tuple[str, bytes]]:
    """A case whose image has this name, in a table and a ZIP file that are named after it too."""
    table, pack = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    writer.writerow(["case_id", "image", "diagnosis"])
    writer.writerow(["new1", name, "BCC"])
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr(f"{NAME}/{name}", data)
    return {
        "cases": (f"{NAME}.csv", table.getvalue().encode()),
        "images": (f"{NAME}.zip", pack.getvalue()),
    }


def everything(cast: Cast) -> str:
    """Every row of every table, the log among them, as text."""
    with superuser(cast) as owner:
        tables = owner.execute(
            """SELECT schemaname || '.' || tablename FROM pg_tables
               WHERE schemaname IN ('reread', 'jobs')"""
        ).fetchall()
        return "".join(
            str(owner.execute(f"SELECT string_agg(t::text, E'\\n') FROM {table} t").fetchone()[0])  # noqa: S608 - names from the catalogue
            for (table,) in tables
        )


def stored(cast: Cast) -> tuple[str, bytes]:
    """The names and the bytes of all files."""
    paths = [path for path in Path(cast.storage.url).rglob("*") if path.is_file()]
    return str(paths), b"".join(path.read_bytes() for path in paths)


def bring_in(draft: Cast, sent: dict[str, tuple[str, bytes]]) -> int:
    form = {"action": "import", "attested": "yes"}
    browser = Site(draft).browser(draft.cora)
    return browser.post("/studies/bcc-sk/import", files=sent, data=form).status_code


def test_p4_no_row_no_file_and_no_line_of_the_log_holds_the_name_of_what_was_sent(
    draft: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("python_multipart").setLevel(logging.INFO)  # the parser's own, never on
    assert bring_in(draft, files(f"{NAME}.jpg", picture(4711))) == 303
    names, _bytes = stored(draft)
    held = everything(draft)
    assert "new1" in held, "it was imported, and this is where it would be"
    for what in (held, names, caplog.text):
        assert WORD not in what


def test_p2_of_a_dicom_file_nothing_is_kept_anywhere(
    draft: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tags = (
        b"\x10\x00\x10\x00PN\x14\x00"
        + NAME.encode()
        + b"\x09\x00\x01\x10LO\x06\x00"
        + WORD.encode()
    )
    dicom = bytes(128) + b"DICM" + tags + bytes(4000)
    before = stored(draft)
    assert bring_in(draft, files("a.jpg", dicom)) == 422
    assert stored(draft) == before
    assert WORD not in everything(draft)
    assert "new1" not in everything(draft)
    assert WORD not in caplog.text
