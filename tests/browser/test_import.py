"""An import in the browser: it shows how far it is, and stopping it leaves nothing behind."""

import threading

import pytest
from playwright.sync_api import Browser, expect

from app.web.routes import importing
from tests.browser.conftest import Person, serving
from tests.conftest import Cast, case_files
from tests.reading.steps import superuser

pytestmark = pytest.mark.browser


def choose(cora: Person, count: int) -> None:
    table, images = case_files(count)
    header, *rows = table.splitlines(keepends=True)
    cora.page.set_input_files(
        "[name=cases]",
        {"name": "cases.csv", "mimeType": "text/csv", "buffer": header + b"".join(rows[6:])},
    )
    cora.page.set_input_files(
        "[name=images]", {"name": "images.zip", "mimeType": "application/zip", "buffer": images}
    )


def test_an_import_shows_its_progress_and_stopped_it_leaves_nothing(
    draft: Cast, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is held at the third image until the page has been seen and stopped."""
    go_on = threading.Event()
    ended = threading.Event()
    real = importing.import_cases

    def held(*arguments: object, **named: object) -> object:
        tell = named["progress"]

        def progress(done: int, total: int) -> None:
            tell(done, total)
            if done == 3:
                go_on.wait(600)

        try:
            return real(*arguments, **{**named, "progress": progress})
        finally:
            ended.set()

    monkeypatch.setattr(importing, "import_cases", held)
    with serving(draft.database, draft.storage, browser) as site, site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/import")
        choose(cora, 14)
        cora.page.get_by_label("I have looked at every picture").check()
        cora.page.get_by_role("button", name="Import", exact=True).click()
        expect(cora.page.get_by_text("3 of 8 images checked and stored")).to_be_visible()
        expect(cora.page.get_by_role("button", name="Import", exact=True)).to_be_disabled()
        cora.page.get_by_role("button", name="Stop").click()
        expect(cora.page.get_by_text("Stopped. An import stores all cases or none")).to_be_visible()
        go_on.set()
        assert ended.wait(600)
        monkeypatch.setattr(importing, "import_cases", real)
        with superuser(draft) as owner:
            assert owner.execute("SELECT count(*) FROM study_case").fetchone() == (6,)
        cora.page.get_by_role("button", name="Import", exact=True).click()
        cora.page.wait_for_url("**/studies/bcc-sk")
        expect(cora.page.get_by_text("14 cases with 14 images")).to_be_visible()
