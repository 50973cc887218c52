"""What the protocol refuses, tried on the pages: each gets its sentence, and nothing changes."""

import pytest

from app.db.session import Role
from tests.access.test_protection import study_digest
from tests.conftest import Cast
from tests.reading.designs import DESIGNS, opened, set_days
from tests.reading.steps import close
from tests.reading.test_designs import first_session
from tests.web.site import Site

FORM = {"title": "Another", "instructions": "Look.", "show_label": "true", "reason": "Late."}


@pytest.mark.parametrize(
    ("path", "form", "sentence"),
    [
        ("design", FORM, "is closed: this is done while it is open"),
        ("open", {}, "cannot become open"),
        ("addition", {"reason": "More."}, "is closed: this is done while it is open"),
        ("consent", {"text": "I consent."}, "nobody reads any more"),
        ("unblind", {"password": "", "reason": "Now.", "meant": "yes"}, "Nothing was unblinded"),
    ],
)
def test_d13_what_a_closed_study_refuses_is_said_and_changes_nothing(
    site: Site, path: str, form: dict[str, str], sentence: str
) -> None:
    close(site.cast)
    before = study_digest(site.cast)
    answer = site.browser(site.cast.cora).post(f"/studies/bcc-sk/{path}", data=form)
    assert answer.status_code in {409, 422}
    assert sentence in answer.text
    after = study_digest(site.cast)
    counted = {"sign_in_failure"}  # a wrong password is counted, and nothing else is written
    assert {name for name in after if after[name] != before[name]} <= counted


def test_d7_on_day_27_the_reader_is_told_when_the_second_session_begins(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    first_session(cast, cast.rita)
    set_days(cast, 27)
    answer = Site(cast).browser(cast.rita).post("/studies/bcc-sk/next")
    assert answer.status_code == 409
    assert "The second session begins on" in answer.text
    with cast.begin(Role.READER, cast.rita) as connection:
        served = connection.execute("SELECT count(*) FROM served").fetchone()
    assert served == (6,)
