"""The API: tokens and nothing else open it; digests, scoped, listed, revocable (A1, A10)."""

import re
from datetime import timedelta
from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from app.actions import guessing
from app.actions.manage_accounts import CONFIRMED
from app.db.api_tokens import insert_token
from app.db.session import Role
from app.domain.audit_chain import event_from_json, verify_chain
from app.web.access import routes_of
from tests.conftest import PASSWORD, case_files
from tests.reading.steps import finish, superuser, unblind
from tests.web.site import Site

ALL = ["read", "write", "export"]


def make_token(site: Site, *scopes: str, days: int = 90) -> str:
    form = {"name": "nightly report", "scopes": list(scopes), "days": str(days)}
    answer = site.browser(site.cast.cora).post("/tokens", data=form)
    return re.search(r'value="(reread_[A-Za-z0-9_-]{43})"', answer.text)[1]


def program(site: Site, token: str) -> TestClient:
    """A client as programs are: no cookie, no word on where it comes from."""
    client = site.browser(Authorization=f"Bearer {token}")
    del client.headers["Sec-Fetch-Site"]
    return client


def test_a_token_reads_what_the_pages_show(site: Site) -> None:
    finish(site.cast, site.cast.rita)
    client = program(site, make_token(site, "read"))
    (study,) = client.get("/api/v1/studies").json()
    assert (study["code"], study["state"], study["cases"]) == ("bcc-sk", "open", 6)
    readers = {row["name"]: row for row in client.get("/api/v1/studies/bcc-sk/readers").json()}
    assert readers["Rita"]["states"] == "fsaaaa"
    assert (readers["Rita"]["finished"], readers["Rolf"]["finished"]) == (1, 0)
    cases = client.get("/api/v1/studies/bcc-sk/cases").json()
    assert {case["reference_source"] for case in cases} == {"generated"}


def test_a1_a_token_of_whoever_coordinates_nothing_opens_nothing(site: Site) -> None:
    """No page makes one; the database keeps whom a token is of, and this is the door."""
    token, rita = "reread_" + "t" * 43, site.cast.rita
    with site.cast.begin(Role.ACCOUNT, rita) as connection:
        insert_token(
            connection,
            account=rita.id,
            name="of a reader",
            scopes=ALL,
            token_sha256=sha256(token.encode()).digest(),
            now=site.clock(),
            expires=site.clock() + timedelta(days=1),
        )
    answer = program(site, token).get("/api/v1/studies")
    assert answer.status_code == 403
    assert "tokens of coordinators" in answer.json()["sentence"]


def test_b8_b9_no_answer_holds_a_call_a_diagnosis_or_a_probability(site: Site) -> None:
    finish(site.cast, site.cast.rita)
    client = program(site, make_token(site, *ALL))
    for path in ("", "/bcc-sk", "/bcc-sk/cases", "/bcc-sk/readers"):
        text = client.get(f"/api/v1/studies{path}").text.replace("BCC or SK", "")
        assert not re.search(r"BCC|SK|probab|overlay|confidence", text), path
    for path in ("results", "export/readings.csv", "export/pack.zip", "export/audit.jsonl"):
        answer = client.get(f"/api/v1/studies/bcc-sk/{path}")
        assert answer.status_code == 409
        assert "only after unblinding" in answer.json()["sentence"]


def test_a_token_makes_a_study_imports_its_cases_and_invites(site: Site) -> None:
    client = program(site, make_token(site, "read", "write"))
    made = client.post("/api/v1/studies", data={"code": "second", "title": "A second study"})
    assert (made.status_code, made.json()["state"]) == (201, "draft")
    table, pack = case_files(2)
    files = {"cases": ("cases.csv", table), "images": ("images.zip", pack)}
    address = "/api/v1/studies/second/cases"
    assert client.post(address, files=files).json()["imported"] is False
    wrong = {**files, "cases": ("cases.csv", table.replace(b",BCC,", b",MEL,"))}
    refused = client.post(address, files=wrong)
    assert refused.status_code == 422
    assert "row 3, column diagnosis" in refused.json()["problems"][0]
    done = client.post(address, files=files, data={"dry_run": "false", "attested": "true"})
    assert done.json()["imported"] is True
    assert client.get("/api/v1/studies/second").json()["cases"] == 2
    invited = client.post("/api/v1/studies/second/invitations", data={"email": "ruth@example.org"})
    link = invited.json()["link"].removeprefix("http://127.0.0.1:8000")
    assert site.browser().get(link).status_code == 200


@pytest.mark.parametrize("part", ["coordinator", "adjudicator", "auditor"])
def test_a14_a_token_appoints_nobody_who_would_see_or_steer_the_study(
    site: Site, part: str
) -> None:
    """The page asks for the password before: a stolen token must not be a way around it."""
    client = program(site, make_token(site, *ALL))
    address, form = "/api/v1/studies/bcc-sk/invitations", {"email": "ruth@example.org"}
    refused = client.post(address, data={**form, "part": part})
    assert refused.status_code == 403
    assert "invites readers alone" in refused.json()["sentence"]
    with superuser(site.cast) as owner:
        assert owner.execute("SELECT count(*) FROM invitation").fetchone() == (0,)
    assert client.post(address, data={**form, "part": "reader"}).status_code == 201


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("read", "POST", "/api/v1/studies"),
        ("read", "GET", "/api/v1/studies/bcc-sk/results"),
        ("write", "GET", "/api/v1/studies"),
        ("export", "GET", "/api/v1/studies/bcc-sk/readers"),
    ],
)
def test_a_token_does_what_its_scopes_say_and_no_more(
    open_site: Site, scope: str, method: str, path: str
) -> None:
    client = program(open_site, make_token(open_site, scope))
    answer = client.request(method, path, data={"code": "x", "title": "x"})
    assert answer.status_code == 403
    assert f'"nightly report" is for: {scope}. This needs: ' in answer.json()["sentence"]


def test_a3_another_coordinators_study_is_as_absent_as_none(open_site: Site) -> None:
    answer = open_site.browser(open_site.cast.olga).post(
        "/tokens", data={"name": "hers", "scopes": ALL}
    )
    token = re.search(r'value="(reread_[^"]+)"', answer.text)[1]
    client = program(open_site, token)
    assert client.get("/api/v1/studies").json() == []
    for path in ("", "/cases", "/readers", "/results", "/export/readings.csv"):
        assert client.get(f"/api/v1/studies/bcc-sk{path}").status_code == 404


def test_a7_a_cookie_opens_no_route_of_the_api_and_a_token_no_page(open_site: Site) -> None:
    cora = open_site.browser(open_site.cast.cora)
    client = program(open_site, make_token(open_site, *ALL))
    for route in routes_of(open_site.app):
        path = route.path.replace("{code}", "bcc-sk").replace("{name}", "readings.csv")
        if route.path.startswith("/api/v1/"):
            for method in route.methods:
                assert cora.request(method, path).status_code == 401, path
    for path in ("/", "/studies/bcc-sk", "/tokens", "/studies/bcc-sk/readers"):
        assert client.get(path).headers["location"].startswith("/sign-in")
    assert client.post("/studies/bcc-sk/close").status_code == 403


def test_a6_a_token_is_kept_as_a_digest_and_shown_once(site: Site) -> None:
    token = make_token(site, "read")
    with superuser(site.cast) as owner:
        stored = owner.execute("SELECT token_sha256, t::text FROM api_token t").fetchone()
        logged = owner.execute("SELECT string_agg(payload, '') FROM audit_event").fetchone()[0]
    assert bytes(stored[0]) == sha256(token.encode()).digest()
    assert token not in stored[1] + logged
    assert '"nightly report"' in logged
    assert token not in site.browser(site.cast.cora).get("/tokens").text


def test_a_token_is_listed_with_its_last_use_and_revoked(site: Site) -> None:
    token = make_token(site, "read")
    cora = site.browser(site.cast.cora)
    assert "never" in cora.get("/tokens").text
    client = program(site, token)
    assert client.get("/api/v1/studies").status_code == 200
    page = cora.get("/tokens").text
    assert "never" not in page
    address = re.search(r'action="(/tokens/[0-9a-f-]{36}/revoked)"', page)[1]
    assert site.browser(site.cast.olga).post(address).status_code == 404
    assert cora.post(address).status_code == 303
    refused = client.get("/api/v1/studies")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "has been revoked" in refused.json()["sentence"]
    assert cora.post(address).status_code == 404, "once revoked, it stays so"


def test_a6_a_token_ends_with_its_time_and_with_its_account(site: Site) -> None:
    client = program(site, make_token(site, "read", days=30))
    with superuser(site.cast) as owner:
        disable = "UPDATE account SET disabled_at = %s WHERE id = %s"
        owner.execute(disable, [site.clock(), site.cast.cora.id])
    assert "is disabled" in client.get("/api/v1/studies").json()["sentence"]
    with superuser(site.cast) as owner:
        owner.execute(disable, [None, site.cast.cora.id])
    site.clock.advance(days=30)
    assert "has expired" in client.get("/api/v1/studies").json()["sentence"]


def test_a14_making_a_token_asks_for_the_password(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    site.clock.advance(seconds=CONFIRMED.total_seconds())
    form = {"name": "x", "scopes": "read"}
    assert cora.post("/tokens", data={**form, "password": "not this"}).status_code == 422
    assert "reread_" in cora.post("/tokens", data={**form, "password": PASSWORD}).text


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"scopes": []}, {"scopes": ["all"]}, {"days": "9999"}], ids=str
)
def test_d11_an_odd_token_is_not_made(open_site: Site, wrong: dict[str, object]) -> None:
    form = {"name": "x", "scopes": ["read"], **wrong}
    answer = open_site.browser(open_site.cast.cora).post("/tokens", data=form)
    assert answer.status_code == 422


@pytest.mark.parametrize("token", ["", "x", "reread_" + "a" * 43, "\xe9", "a" * 10_000])
def test_a_made_up_token_is_nobody(open_site: Site, token: str) -> None:
    header = {"Authorization": f"Bearer {token}".encode("latin-1")}
    assert open_site.browser().get("/api/v1/studies", headers=header).status_code == 401


def test_a10_guessing_tokens_is_slowed_down(site: Site) -> None:
    token = make_token(site, "read")
    with superuser(site.cast) as owner:
        owner.execute(
            """INSERT INTO sign_in_failure (email_sha256, address, failed_at)
               SELECT sha256('x'), 'testclient', %s FROM generate_series(1, %s)""",
            [site.clock(), guessing.PER_ADDRESS - 1],
        )
    assert program(site, token).get("/api/v1/studies").status_code == 200
    assert program(site, "reread_guess").get("/api/v1/studies").status_code == 401
    assert program(site, token).get("/api/v1/studies").status_code == 429


def test_b9_l7_after_unblinding_readings_log_and_pack_leave_and_each_is_an_event(
    site: Site,
) -> None:
    for reader in (site.cast.rita, site.cast.rolf):
        for _ in range(6):
            finish(site.cast, reader)
    unblind(site.cast)
    client = program(site, make_token(site, "export"))
    lines = client.get("/api/v1/studies/bcc-sk/export/audit.jsonl").text.splitlines()
    assert verify_chain([event_from_json(line) for line in lines]).problems == []
    readings = client.get("/api/v1/studies/bcc-sk/export/readings.csv").text.splitlines()
    assert len(readings) == 1 + 2 * 2 * 6
    assert client.get("/api/v1/studies/bcc-sk/export/pack.zip").content.startswith(b"PK")
    assert client.get("/api/v1/studies/bcc-sk/results").json()["data"]["cases"] == 6
    with superuser(site.cast) as owner:
        events = owner.execute(
            """SELECT action, chain, actor FROM audit_event
               WHERE action IN ('export.made', 'results.viewed') ORDER BY seq""",
        ).fetchall()
    assert [event[0] for event in events] == [*["export.made"] * 3, "results.viewed"]
    assert {event[1:] for event in events} == {(site.cast.study.id, str(site.cast.cora.id))}


def test_a13_the_description_has_every_route_of_the_api_and_no_page(open_site: Site) -> None:
    document = open_site.browser().get("/api/openapi.json").json()
    routes = {r.path for r in routes_of(open_site.app) if r.path.startswith("/api/v1/")}
    assert set(document["paths"]) == routes
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    page = open_site.browser(open_site.cast.cora).get("/api/docs").text
    for path in routes:
        assert path in page
    assert "<script>" not in page
