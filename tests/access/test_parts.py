"""Administrators, adjudicators and auditors: what each may open, and every refusal's sentence (A2).

The matrix beside this file has readers and coordinators; here are the parts that do neither.
"""

import re
from dataclasses import dataclass

import pytest

from app.db.session import Role
from app.domain.access import Account, AccountRole
from tests.access.test_matrix import Line, form_of, lines, real_ids
from tests.conftest import PASSWORD, Cast, make_account
from tests.reading.steps import finish, superuser
from tests.web.site import Site


def invited(site: Site, part: str, email: str) -> Account:
    """Somebody who took up an invitation to this part, in the browser."""
    cora = site.browser(site.cast.cora)
    answer = cora.post("/studies/bcc-sk/invitations", data={"email": email, "part": part})
    link = re.search(r"(/invitations/[A-Za-z0-9_-]{43})", answer.text)[1]
    form = {"name": email.split("@", maxsplit=1)[0].title(), "password": PASSWORD}
    assert site.browser().post(link, data=form).status_code == 303
    with superuser(site.cast) as owner:
        row = owner.execute(
            "SELECT id, email, name, role, simulated FROM account WHERE email = %s", [email]
        ).fetchone()
    return Account(*row)


@dataclass(frozen=True)
class Parts:
    site: Site
    ada: Account  # administers the installation
    jude: Account  # adjudicates
    audrey: Account  # audits


@pytest.fixture(scope="module")
def parts(open_copy: Cast) -> Parts:
    site = Site(open_copy)
    finish(open_copy, open_copy.rita)
    ada = make_account(open_copy.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    jude = invited(site, "adjudicator", "jude@example.org")
    audrey = invited(site, "auditor", "audrey@example.org")
    return Parts(site, ada, jude, audrey)


# What everybody may with their own account.
OWN = {
    "GET /account": 200,
    "GET /account/second-factor": 200,
    "POST /account/second-factor": 200,
    "POST /account/second-factor/removed": 422,
    "POST /account/password": 422,
    "POST /account/sessions/ended": 303,
    "POST /account/sessions/{session}/ended": 404,
}
# What each may get beyond what is anybody's. Everything else of the matrix is refused.
OPEN = {
    "ada": {
        "GET /accounts": 200,
        "GET /log": 200,
        "GET /log.jsonl": 200,
        "GET /": 303,
        "GET /accounts/{account}": 200,
        "POST /accounts/{account}/reset": 200,
        **OWN,
        "POST /sign-out": 303,
        "GET /confirm": 200,
        "POST /confirm": 422,
        "GET /api/docs": 200,
    },
    "jude": {
        **OWN,
        "GET /": 200,
        "POST /sign-out": 303,
        "GET /confirm": 200,
        "POST /confirm": 422,
        "GET /api/docs": 200,
        "GET /studies/{code}/adjudication": 200,
        "GET /studies/{code}/adjudication/{case}/images/{position}": 200,
        "POST /studies/{code}/adjudication/{case}": 409,  # recorded already, and frozen
    },
    "audrey": {
        **OWN,
        "GET /": 200,
        "POST /sign-out": 303,
        "GET /confirm": 200,
        "POST /confirm": 422,
        "GET /api/docs": 200,
        "GET /studies/{code}/audit": 200,
        "GET /studies/{code}/audit.jsonl": 200,
    },
}
# Tried apart: these change what other tests need, or answer by what was done before.
APART = {
    "POST /accounts/{account}/disabled",
    "POST /accounts/{account}/second-factor/removed",
    "POST /account/second-factor/confirmed",
}


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize("line", [line for line in lines() if line.permission != "anyone"], ids=str)
def test_a2_each_part_opens_its_own_pages_and_no_other(parts: Parts, line: Line, name: str) -> None:
    if str(line) in APART:
        return
    site = parts.site
    path = line.path.format(**real_ids(site.cast, site))
    browser = site.browser(getattr(parts, name))
    answer = browser.request(line.method, path, **form_of(line, site))
    expected = OPEN[name].get(str(line))
    if expected is None:
        assert answer.status_code in ({401} if "/api/v1/" in path else {403, 404})
        assert len(re.sub(r"<[^>]+>", " ", answer.text).split()) > 5, "a refusal has its sentence"
    else:
        assert answer.status_code == expected


def test_a2_an_administrator_disables_an_account_and_enables_it_again(site: Site) -> None:
    cast = site.cast
    ada = make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    browser, ritas = site.browser(ada), site.browser(cast.rita)
    address = f"/accounts/{cast.rita.id}/disabled"
    assert browser.post(address, data={"disabled": "yes"}).status_code == 303
    assert "disabled" in browser.get("/accounts").text
    assert ritas.get("/studies/bcc-sk/read").status_code == 303, "signed out at once"
    assert browser.post(address, data={"disabled": "no"}).status_code == 303
    form = {"email": "rita@example.org", "password": PASSWORD}
    assert site.browser().post("/sign-in", data=form).headers["location"] == "/"
    own = browser.post(f"/accounts/{ada.id}/disabled", data={"disabled": "yes"})
    assert own.status_code == 409
    assert "Nobody disables their own account" in own.text
    with superuser(cast) as owner:
        changes = owner.execute(
            "SELECT count(*) FROM audit_event WHERE action = 'account.update' AND actor = %s",
            [str(ada.id)],
        ).fetchone()
    assert changes == (2,)


def test_b9_an_administrator_sees_no_study(parts: Parts) -> None:
    text = parts.site.browser(parts.ada).get("/accounts").text
    assert "Rita" in text
    assert "bcc-sk" not in text
    assert "BCC or SK" not in text


def test_l7_an_auditors_look_is_an_event_and_the_log_is_whole(parts: Parts) -> None:
    browser = parts.site.browser(parts.audrey)
    page = browser.get("/studies/bcc-sk/audit", params={"kind": "reading.insert"})
    assert page.text.count("<code>reading.insert</code>") == 2
    lines_ = browser.get("/studies/bcc-sk/audit.jsonl").text.splitlines()
    with superuser(parts.site.cast) as owner:
        looks = owner.execute(
            """SELECT count(*), max(seq) FROM audit_event WHERE action = 'audit.viewed'
               AND actor = %s""",
            [str(parts.audrey.id)],
        ).fetchone()
    assert looks[0] >= 2
    assert len(lines_) == looks[1], "up to and with the look itself"


def test_a_coordinator_is_told_why_the_log_is_closed(parts: Parts) -> None:
    answer = parts.site.browser(parts.site.cast.cora).get("/studies/bcc-sk/audit")
    assert answer.status_code == 409
    assert "after unblinding" in answer.text


def test_a_reader_invited_to_adjudicate_the_same_study_is_told_why_not(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    form = {"email": "ruth@example.org", "part": "adjudicator"}
    answer = cora.post("/studies/bcc-sk/invitations", data=form)
    link = re.search(r"(/invitations/[A-Za-z0-9_-]{43})", answer.text)[1]
    invited(site, "reader", "ruth@example.org")  # and takes up the other invitation first
    refused = site.browser().post(link, data={"password": PASSWORD})
    assert refused.status_code == 409
    assert "is or was reader of this study and cannot become its adjudicator" in refused.text
    with site.cast.begin(Role.COORDINATOR, site.cast.cora) as connection:
        accepted = connection.execute(
            "SELECT accepted_at FROM invitation WHERE role = 'adjudicator'"
        ).fetchall()
    assert accepted == [(None,)], "the invitation is not used up"
