"""Whoever imports pictures says that somebody looked at them, and the log keeps it (P3)."""

import json

import pytest
from httpx2 import Response

from app.actions.import_cases import ATTESTATION
from tests.access.test_api import make_token, program
from tests.conftest import Cast, case_files
from tests.reading.steps import superuser
from tests.web.site import Site


@pytest.fixture
def drafted(draft: Cast) -> Site:
    return Site(draft)


def attested(cast: Cast) -> list[dict[str, object]]:
    with superuser(cast) as owner:
        found = owner.execute(
            "SELECT payload FROM audit_event WHERE action = 'import.attested' AND chain = %s",
            [cast.study.id],
        ).fetchall()
    return [json.loads(payload) for (payload,) in found]


def images(cast: Cast) -> int:
    with superuser(cast) as owner:
        return owner.execute("SELECT count(*) FROM image").fetchone()[0]


def new_files() -> dict[str, tuple[str, bytes]]:
    """A case that is not yet in the study."""
    table, pack = case_files(8)
    lines = table.splitlines(keepends=True)
    return {"cases": ("cases.csv", lines[0] + lines[-1]), "images": ("images.zip", pack)}


def post(site: Site, **form: str) -> Response:
    cora = site.browser(site.cast.cora)
    return cora.post("/studies/bcc-sk/import", files=new_files(), data=form)


def test_p3_without_the_word_nothing_is_imported_and_the_page_says_what_is_missing(
    drafted: Site,
) -> None:
    before = images(drafted.cast)
    for form in ({"action": "import"}, {"action": "import", "attested": "no"}):
        answer = post(drafted, **form)
        assert answer.status_code == 422
        assert "look at the pictures first" in answer.text
    assert images(drafted.cast) == before
    assert attested(drafted.cast) == []


def test_p3_with_it_the_log_holds_who_said_what_of_how_many(drafted: Site) -> None:
    before = images(drafted.cast)
    assert post(drafted, action="import", attested="yes").status_code == 303
    assert images(drafted.cast) == before + 1
    (event,) = attested(drafted.cast)
    assert event == {"statement": ATTESTATION, "images": 1, "by": str(drafted.cast.cora.id)}


def test_p3_a_dry_run_needs_no_word_and_the_page_shows_the_very_sentence(drafted: Site) -> None:
    assert post(drafted, action="dry_run").status_code == 200
    page = drafted.browser(drafted.cast.cora).get("/studies/bcc-sk/import")
    assert ATTESTATION in page.text
    assert attested(drafted.cast) == []


def test_p3_the_api_asks_for_it_too(drafted: Site) -> None:
    client = program(drafted, make_token(drafted, "read", "write"))
    address, files = "/api/v1/studies/bcc-sk/cases", new_files()
    refused = client.post(address, files=files, data={"dry_run": "false"})
    assert refused.status_code == 422
    assert "look at the pictures first" in refused.json()["sentence"]
    done = client.post(address, files=files, data={"dry_run": "false", "attested": "true"})
    assert done.json()["imported"] is True
    assert len(attested(drafted.cast)) == 1
