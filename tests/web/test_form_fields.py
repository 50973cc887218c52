"""Every field of every page has a label, and help where its meaning is not evident from it.

A refusal stands at its field, and what was typed is still there.
"""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.actions.manage_own_account import make_reset
from app.db.predictions import register_model
from app.db.session import Role
from app.domain.access import AccountRole
from app.domain.study_design import StudyDesign
from app.web.rendering import TEMPLATES
from tests.access.test_parts import invited
from tests.conftest import PASSWORD, Cast, make_account
from tests.reading.additions import import_more, score_more
from tests.reading.designs import opened
from tests.reading.steps import close, lock
from tests.web.form_pages import FormPage
from tests.web.site import Site
from tests.web.test_adjudication import import_them

# Without further help, each for its reason.
EVIDENT = {
    "email": "everybody knows their own address",
    "password": "everybody knows what a password is",
    "current": "the present password",
    "kind": "the events of a log, chosen from a list with their counts",
    "code": "its label says which six digits",
    "call": "one of two diagnoses, written out",
}
# Of the reading room and its preview, where nothing may stand beside the call but the call.
ROOM = {"call", "confidence", "confidence_range", "management", "comment", "pause"}


class Walk:
    """Pages as they are looked at, with what is wrong with their fields."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.names: set[str] = set()
        self.pages = 0

    def see(self, browser: TestClient, path: str, *, room: bool = False, **posted: object) -> str:
        answer = browser.post(path, **posted) if posted else browser.get(path)
        assert answer.status_code in {200, 422}, (path, answer.status_code)
        self.pages += 1
        page = FormPage(answer.text)
        self.faults += [f"{path}: the id {each} stands twice" for each in page.doubled]
        for each in page.fields:
            self.names.add(each.name)
            where = f"{path}: {each.name or each.attributes}"
            if not page.label_of(each):
                self.faults.append(f"{where} has no label")
            try:
                helped = page.help_of(each)
            except KeyError as missing:
                self.faults.append(f"{where} is described by {missing}, which is not there")
                continue
            read_only = "readonly" in each.attributes
            searched = each.attributes.get("type") == "search"
            evident = each.name in EVIDENT or (room and each.name in ROOM)
            if not (helped or each.is_choice or read_only or searched or evident):
                self.faults.append(f"{where} has no help")
        return answer.text


def named_in_templates() -> set[str]:
    """Every fixed name of a field in the templates, but for hidden ones."""
    names: set[str] = set()
    for path in Path(TEMPLATES).glob("*.html"):
        for tag in re.findall(r"<(?:input|select|textarea)\b[^>]*", path.read_text()):
            if 'type="hidden"' not in tag:
                names.update(re.findall(r'\bname="([a-z_]+)"', tag))
    return names


def test_every_field_has_a_label_and_help_where_it_is_not_evident(draft: Cast) -> None:
    walk = Walk()
    site = Site(draft, REREAD_SMTP="smtp+plain://127.0.0.1:1", REREAD_MAIL_FROM="r@example.org")
    at_the_door(walk, site)
    here = "/studies/bcc-sk"
    cora = site.browser(draft.cora)
    walk.see(cora, "/account/second-factor")
    walk.see(cora, "/account/second-factor", data={})
    site.clock.advance(minutes=20)  # grave acts ask for the password again
    import_them(site, without_diagnosis="yes")
    register_one(draft)  # there is a model to choose
    for path in ("", "/design", "/import", "/readers", "/consent", "/cases", "/letters"):
        walk.see(cora, here + path)
    for path in ("/", "/studies/new", "/tokens", "/account", "/confirm"):
        walk.see(cora, path)
    jude = invited(site, "adjudicator", "jude@example.org")
    walk.see(site.browser(jude), here + "/adjudication")
    walk.see(cora, here + "/readers")  # Jude's part can be ended now
    record_all(site.browser(jude), here)

    cast = opened(draft, StudyDesign(design="crossover"))
    while_it_is_read(walk, site, cast, here)
    close(cast)
    for path in ("/unblind", "/design", ""):
        walk.see(cora, here + path)
    form = {"password": PASSWORD, "reason": "All are in.", "meant": "yes"}
    assert cora.post(here + "/unblind", data=form).status_code == 303
    walk.see(cora, here + "/audit")
    of_the_administrator(walk, site)

    assert walk.faults == []
    elsewhere = {"subgroup"}  # of the results: test_results_tables.py
    assert named_in_templates() - walk.names - elsewhere - ROOM == set()
    assert walk.pages > 35


def at_the_door(walk: Walk, site: Site) -> None:
    nobody = site.browser()
    for path in ("/sign-in", "/lost-password", "/sign-in/code"):
        walk.see(nobody, path)
    cora = site.browser(site.cast.cora)
    for email in ("new@example.org", "rolf@example.org"):
        made = cora.post("/studies/bcc-sk/invitations", data={"email": email, "part": "reader"})
        link = re.search(r"/invitations/[A-Za-z0-9_-]{43}", made.text)
        assert link is not None
        walk.see(nobody, link[0])
    with site.cast.begin(Role.ACCOUNT, None) as connection:
        token = make_reset(connection, account=site.cast.rolf.id, now=site.clock(), by=None)
    walk.see(nobody, f"/new-password/{token}")


def register_one(cast: Cast) -> None:
    with cast.begin(Role.WORKER, None) as connection:
        register_model(
            connection,
            name="to be chosen",
            backbone="none",
            weights_sha256="1" * 64,
            preprocessing="none",
            threshold=0.5,
            map_scale=1.0,
            map_grid=(14, 14),
            demonstration=True,
            card="No model.",
        )


def record_all(jude: TestClient, here: str) -> None:
    page = jude.get(here + "/adjudication").text
    for address in re.findall(rf'action="({here}/adjudication/[0-9a-f-]{{36}})"', page):
        form = {"diagnosis": "BCC", "source": "histopathology"}
        assert jude.post(address, data=form).status_code == 303


def while_it_is_read(walk: Walk, site: Site, cast: Cast, here: str) -> None:
    cora, rita = site.browser(cast.cora), site.browser(cast.rita)
    site.clock.advance(minutes=20)
    walk.see(rita, "/keys")
    walk.see(rita, "/")
    walk.see(rita, here + "/start")
    walk.see(rita, here + "/read", room=True)
    lock(cast, cast.rita)
    cora.post(here + "/consent", data={"text": "I take part."})
    walk.see(rita, here + "/start")
    walk.see(cora, here)
    for path in ("/design", "/letters", "/consent", "/monitor", f"/readers/{cast.rita.id}"):
        walk.see(cora, here + path)
    page = walk.see(cora, f"{here}/readers/{cast.rita.id}?number=1")
    reading = re.search(rf'href="({here}/readings/[0-9a-f-]{{36}})"', page)
    assert reading is not None
    walk.see(cora, reading[1])
    cases = re.findall(rf'href="({here}/cases/[0-9a-f-]{{36}})"', cora.get(here + "/cases").text)
    walk.see(cora, cases[0])
    cora.post(cases[1] + "/exclusion", data={"reason": "No lesion."})
    walk.see(cora, cases[1])
    import_more(cast)
    score_more(cast)
    walk.see(cora, here + "/addition")
    walk.see(cora, here + "/import")


def of_the_administrator(walk: Walk, site: Site) -> None:
    ada = make_account(site.cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    browser = site.browser(ada)
    walk.see(browser, "/accounts")
    walk.see(browser, f"/accounts/{site.cast.rita.id}")
    walk.see(browser, f"/accounts/{site.cast.rita.id}/reset", data={})
    walk.see(browser, "/log")


STUDY = "/studies/bcc-sk"
DESIGN = {"title": "A title", "instructions": "Look.", "design": "sequential", "washout_days": "28",
          "repeats": "0", "show_label": "true"}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "form", "field", "sentence"),
    [
        ("/studies/new", {"code": "No!", "title": "T"}, "code", "cannot name a study"),
        ("/studies/new", {"code": "bcc-sk", "title": "T"}, "code", "already a study"),
        ("/studies/new", {"code": "bcc-2", "title": " "}, "title", "1 to 200 characters"),
        (f"{STUDY}/design", {**DESIGN, "title": " "}, "title", "1 to 200 characters"),
        (f"{STUDY}/design", {**DESIGN, "repeats": "x"}, "repeats", "a whole number"),
        (f"{STUDY}/design", {**DESIGN, "washout_days": "999"}, "washout_days", "0 to 365"),
        (f"{STUDY}/copy", {"new_code": "bcc-sk", "new_title": "T"}, "new_code", "already a study"),
        (f"{STUDY}/copy", {"new_code": "bcc-2", "new_title": ""}, "new_title", "1 to 200"),
        (f"{STUDY}/invitations", {"email": "nobody", "part": "auditor"}, "email", "not an e-mail"),
        (f"{STUDY}/consent", {"text": " "}, "text", "Give the consent text"),
        ("/account/password", {"current": "not it", "new": "a sentence"}, "current", "not your"),
        ("/tokens", {"name": " ", "scopes": "read", "days": "30"}, "name", "Name what the token"),
        ("/confirm", {"password": "not it"}, "password", "not your password"),
        ("/sign-in", {"email": "rita@example.org", "password": "not it"}, "password", "not fit"),
    ],
)  # fmt: skip
def test_a_refusal_stands_at_its_field_and_what_was_typed_is_kept(
    draft: Cast, path: str, form: dict[str, str], field: str, sentence: str
) -> None:
    answer = Site(draft).browser(draft.cora).post(path, data=form)
    assert answer.status_code in {409, 422}
    refused = FormPage(answer.text).refused()
    assert list(refused) == [field]
    assert sentence in refused[field]
    kept(answer.text, form)


def kept(html: str, form: dict[str, str]) -> None:
    """What was typed stands in the page again, but for passwords."""
    page = FormPage(html)
    for each in page.fields:
        typed = form.get(each.name, "").strip()
        if not typed or each.attributes.get("type") == "password":
            continue
        if each.is_choice and each.attributes.get("value") == typed:
            assert "checked" in each.attributes, each.name
        elif (
            each.attributes.get("type") not in {"checkbox", "radio"} and "value" in each.attributes
        ):
            assert each.attributes["value"] == typed, each.name


def test_the_reason_for_ending_a_part_is_kept_where_the_password_is_wrong(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    site.clock.advance(minutes=20)
    path = f"{STUDY}/people/{site.cast.rita.id}/part"
    form = {"part": "reader", "active": "no", "reason": "Moved away.", "password": "not it"}
    answer = cora.post(path, data=form)
    assert answer.status_code == 422
    assert "what was entered is not it" in FormPage(answer.text).refused()["password"]
    assert 'value="Moved away."' in answer.text
    answer = cora.post(path, data={**form, "reason": " ", "password": PASSWORD})
    assert "Give the reason" in FormPage(answer.text).refused()["reason"]


def test_an_invitation_is_kept_where_the_password_is_wrong(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    site.clock.advance(minutes=20)
    form = {"email": "new@example.org", "part": "auditor", "password": "not it"}
    page = cora.post(f"{STUDY}/invitations", data=form).text
    assert 'value="new@example.org"' in page
    assert '<option value="auditor" selected>' in page


def test_a_correction_and_a_washout_are_refused_at_their_own_reason(draft: Cast) -> None:
    cast = opened(draft, StudyDesign(design="crossover"))
    site = Site(cast)
    lock(cast, cast.rita)
    cora = site.browser(cast.cora)
    person = f"{STUDY}/readers/{cast.rita.id}"
    page = cora.post(f"{person}/washout", data={"days": "7", "reason": " "}).text
    form = FormPage(page)
    wrong = [each for each in form.fields if "aria-invalid" in each.attributes]
    assert [each.attributes["id"] for each in wrong] == ["washout-reason"]
    found = re.search(
        rf'href="({STUDY}/readings/[0-9a-f-]{{36}})"', cora.get(f"{person}?number=1").text
    )
    assert found is not None
    page = cora.post(
        f"{found[1]}/corrections",
        data={"kind": "correct", "call": "SK", "confidence": "80", "reason": " "},
    ).text
    wrong = [each for each in FormPage(page).fields if "aria-invalid" in each.attributes]
    assert [each.attributes["id"] for each in wrong] == ["reason-correct"]
    assert 'value="80"' in page


def test_an_adjudicators_form_keeps_what_was_typed_in_it_alone(draft: Cast) -> None:
    site = Site(draft)
    import_them(site, without_diagnosis="yes")
    jude = site.browser(invited(site, "adjudicator", "jude@example.org"))
    page = jude.get(f"{STUDY}/adjudication").text
    address = re.findall(rf'action="({STUDY}/adjudication/[0-9a-f-]{{36}})"', page)[1]
    form = {"diagnosis": "SK", "source": "histopathology", "diagnosed_on": "2020-02-30"}
    page = jude.post(address, data=form).text
    assert "year-month-day" in FormPage(page).refused()["diagnosed_on"]
    assert page.count('value="histopathology"') == 1
    assert page.count("checked") == 1


def test_the_adjudicators_page_of_a_closed_study_says_that_it_is_frozen(site: Site) -> None:
    jude = site.browser(invited(site, "adjudicator", "jude@example.org"))
    close(site.cast)
    page = jude.get(f"{STUDY}/adjudication")
    assert page.status_code == 200
    assert "its reference standard is frozen" in page.text
