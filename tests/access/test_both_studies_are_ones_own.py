"""A3: who has two studies finds what is in one of them under that one's address alone."""

import re

import pytest

from app.actions.design_study import create_study, find_study
from app.db.session import Role
from tests.access.test_matrix import ABSENT, Line, bare, form_of, lines
from tests.access.test_parts import invited
from tests.conftest import PASSWORD, Cast, case_files, import_files
from tests.reading.steps import superuser
from tests.web.site import Site

OF_A_CASE = [line for line in lines() if "{case}" in line.path]


@pytest.fixture(scope="module")
def both(open_copy: Cast) -> tuple[Site, str, dict[str, str]]:
    """The site, a case of "second", and whose browser asks: Cora's and Jude's are both studies."""
    site = Site(open_copy)
    jude = invited(site, "adjudicator", "jude@example.org")
    with open_copy.begin(Role.COORDINATOR, open_copy.cora) as connection:
        create_study(connection, code="second", title="Second", seed=2, by=open_copy.cora)
        second = find_study(connection, code="second")
    import_files(open_copy.database, open_copy.storage, second, case_files(2), by=open_copy.cora)
    cora = site.browser(open_copy.cora)
    form = {"email": "jude@example.org", "part": "adjudicator"}
    answer = cora.post("/studies/second/invitations", data=form)
    link = re.search(r"(/invitations/[A-Za-z0-9_-]{43})", answer.text)[1]
    assert site.browser(jude).post(link, data={"password": PASSWORD}).status_code == 303
    with superuser(open_copy) as owner:
        case = owner.execute("SELECT id::text FROM study_case WHERE study_id = %s", [second.id])
        return (
            site,
            case.fetchone()[0],
            {"cora": site.session(open_copy.cora), "jude": site.session(jude)},
        )


@pytest.mark.parametrize("line", OF_A_CASE, ids=str)
def test_a3_a_case_is_in_no_other_study_of_the_same_person(
    both: tuple[Site, str, dict[str, str]], line: Line
) -> None:
    site, case, sessions = both
    browser = site.browser()
    browser.cookies.set("reread", sessions["jude" if "adjudication" in line.path else "cora"])
    own, foreign, absent = (
        browser.request(
            line.method, line.path.format(code=code, case=one, position=1), **form_of(line, site)
        )
        for code, one in (("second", case), ("bcc-sk", case), ("bcc-sk", str(ABSENT)))
    )
    if line.method == "GET":
        assert own.status_code == 200, own.text
    assert foreign.status_code in {404, 409}
    assert bare(foreign, case) == bare(absent, str(ABSENT))
