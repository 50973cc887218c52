"""Who may call what: every route, its permission, and the answer to each person (A1, A2, A3).

The table is the specification: a route that is not in it fails the first test.
"""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.actions.manage_accounts import invite_reader
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.domain.reading import ReadingState
from app.web.access import permission_of, refuse_undeclared, routes_of
from tests.conftest import Cast, case_files, make_account
from tests.reading.steps import at, bring_to, superuser
from tests.web.site import Site

# Of the open study "bcc-sk", which Cora coordinates and Rita and Rolf read in; {assignment} is
# Rita's current case. Dora reads in it too, but her account was disabled while she was signed in.
MATRIX = """
method path                                        permission        nobody Dora Olga Rolf Rita Cora
GET    /sign-in                                    anyone            200    200  200  200  200  200
POST   /sign-in                                    anyone            422    422  422  422  422  422
POST   /sign-out                                   signed_in         401    401  303  303  303  303
GET    /invitations/{token}                        anyone            200    200  200  200  200  200
POST   /invitations/{token}                        anyone            422    422  422  422  422  422
GET    /                                           signed_in         303    303  200  200  200  200
GET    /health                                     anyone            200    200  200  200  200  200
GET    /studies/new                                coordinator_only  303    303  200  403  403  200
POST   /studies/new                                coordinator_only  401    401  303  403  403  409
GET    /studies/{code}                             coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/progress                    coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/import                      coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/import                      coordinator_only  401    401  404  403  403  409
POST   /studies/{code}/score                       coordinator_only  401    401  404  403  403  409
POST   /studies/{code}/open                        coordinator_only  401    401  404  403  403  303
POST   /studies/{code}/close                       coordinator_only  401    401  404  403  403  303
POST   /studies/{code}/invitations                 coordinator_only  401    401  404  403  403  200
GET    /studies/{code}/cases                       coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/cases/{case}/images/{position} coordinator_only 303  303  404  403  403  200
GET    /studies/{code}/unblind                     coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/unblind                     coordinator_only  401    401  404  403  403  422
GET    /studies/{code}/results                     coordinator_only  303    303  404  403  403  409
GET    /studies/{code}/results/analysis.json       coordinator_only  303    303  404  403  403  409
GET    /studies/{code}/results/roc/{reader}.{form} coordinator_only  303    303  404  403  403  409
GET    /studies/{code}/export/{name}               coordinator_only  303    303  404  403  403  409
GET    /models/{model}                             coordinator_only  303    303  200  403  403  200
GET    /studies/{code}/read                        reader_only       303    303  403  200  200  403
POST   /studies/{code}/next                        reader_only       401    401  403  303  303  403
POST   /readings/{assignment}/unaided              reader_only       401    401  403  404  303  403
POST   /readings/{assignment}/reveal               reader_only       401    401  403  404  303  403
POST   /readings/{assignment}/aided                reader_only       401    401  403  404  303  403
GET    /readings/{assignment}/images/{position}    reader_only       303    303  403  404  200  403
GET    /readings/{assignment}/overlays/{position}  reader_only       303    303  403  404  200  403
"""


@dataclass(frozen=True)
class Line:
    method: str
    path: str
    permission: str
    statuses: dict[str, int]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def lines() -> list[Line]:
    header, *rows = [row.split() for row in MATRIX.strip().splitlines()]
    return [
        Line(method, path, permission, dict(zip(header[3:], map(int, statuses), strict=True)))
        for method, path, permission, *statuses in rows
    ]


# The state Rita's case is in when a route is tried on it; SERVED where nothing is said.
STATES = {
    "/studies/{code}/next": ReadingState.ASSIGNED,
    "/readings/{assignment}/reveal": ReadingState.LOCKED,
    "/readings/{assignment}/aided": ReadingState.REVEALED,
    "/readings/{assignment}/overlays/{position}": ReadingState.REVEALED,
}


def form_of(line: Line, site: Site) -> dict[str, object]:
    """What the page's own form would send."""
    if line.path.endswith("/import") and line.method == "POST":
        table, pack = case_files(1)
        return {
            "files": {"cases": ("cases.csv", table), "images": ("images.zip", pack)},
            "data": {"action": "import"},
        }
    call = {"call": "BCC", "confidence": "70", "submission_id": str(uuid4())}
    forms = {
        "/sign-in": {"email": "rita@example.org", "password": "not this"},
        "/invitations/{token}": {"name": "Ruth", "password": "short"},
        "/studies/new": {"code": "bcc-sk", "title": "The code is taken"},
        "/studies/{code}/score": {"model_version": str(site.cast.study.model_version_id)},
        "/studies/{code}/invitations": {"email": "ruth@example.org"},
        "/studies/{code}/unblind": {"password": "not this", "reason": "None."},
        "/readings/{assignment}/unaided": call,
        "/readings/{assignment}/aided": call,
    }
    return {"data": forms.get(line.path, {})}


def real_ids(cast: Cast, site: Site) -> dict[str, str]:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        token = invite_reader(
            connection,
            study=cast.study.id,
            email="ruth@example.org",
            now=site.clock(),
            by=cast.cora,
        )
        case = connection.execute("SELECT id FROM study_case LIMIT 1").fetchone()[0]
    return {
        "code": "bcc-sk",
        "token": token,
        "assignment": str(at(cast, cast.rita).assignment.id),
        "case": str(case),
        "position": "1",
        "reader": "R01",
        "form": "svg",
        "name": "readings.csv",
        "model": str(cast.study.model_version_id),
    }


def add_dora(cast: Cast) -> Account:
    return make_account(cast.database, "dora@example.org", AccountRole.READER)


def disable(cast: Cast, account: Account) -> None:
    with superuser(cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE id = %s", [account.id])


def test_a1_the_table_names_every_route_and_its_permission(site: Site) -> None:
    declared = {
        (method, route.path, permission_of(route))
        for route in routes_of(site.app)
        for method in route.methods
    }
    assert declared == {(line.method, line.path, line.permission) for line in lines()}
    assert len(lines()) == len(declared), "a line of the table stands twice"


def test_a1_an_application_with_an_undeclared_route_is_not_built() -> None:
    app = FastAPI(openapi_url=None)
    router = APIRouter()
    router.add_api_route("/open-to-all", lambda: None)
    app.include_router(router)
    with pytest.raises(RuntimeError, match="/open-to-all"):
        refuse_undeclared(app)


def test_a1_nothing_but_static_files_is_mounted_beside_the_routes(site: Site) -> None:
    site.app.mount("/elsewhere", FastAPI())
    with pytest.raises(RuntimeError, match="cannot declare a permission"):
        routes_of(site.app)


@pytest.mark.parametrize("line", lines(), ids=str)
def test_a2_each_person_gets_the_answer_of_the_table(site: Site, line: Line) -> None:
    cast = site.cast
    bring_to(cast, cast.rita, STATES.get(line.path, ReadingState.SERVED))
    dora = add_dora(cast)
    people = {
        "nobody": None,
        "Dora": dora,
        "Olga": cast.olga,
        "Rolf": cast.rolf,
        "Rita": cast.rita,
        "Cora": cast.cora,
    }
    browsers = {name: site.browser(account) for name, account in people.items()}
    disable(cast, dora)
    ids = real_ids(cast, site)
    # Those who may change something come last, so that it is there for all before them.
    answers = {
        name: browsers[name].request(line.method, line.path.format(**ids), **form)
        for name in line.statuses
        if (form := own_form(line, site, name))
    }
    assert {name: answer.status_code for name, answer in answers.items()} == line.statuses
    for answer in answers.values():
        if answer.status_code == 303 and line.method == "GET":
            assert answer.headers["location"].startswith("/sign-in?next=")


def own_form(line: Line, site: Site, name: str) -> dict[str, object]:
    form = form_of(line, site)
    if line.path == "/studies/new" and name == "Olga":
        form["data"] = {"code": "mine", "title": "Olga's own"}
    return form


# ---------------------------------------------------------------- foreign is as absent


def bare(answer: Response, *own: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and bytes of an answer, without what the person typed themselves."""
    content = answer.content
    for text in own:
        content = content.replace(text.encode(), b"?")
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return answer.status_code, headers, content


STUDY_ROUTES = [
    line for line in lines() if "{code}" in line.path and line.permission == "coordinator_only"
]


@pytest.mark.parametrize("line", STUDY_ROUTES, ids=str)
def test_a3_another_coordinators_study_is_as_absent_as_none(site: Site, line: Line) -> None:
    cast = site.cast
    bring_to(cast, cast.rita, ReadingState.SERVED)
    browser = site.browser(cast.olga)
    ids = real_ids(cast, site)
    foreign, absent = (
        browser.request(
            line.method, line.path.format(**{**ids, "code": code}), **form_of(line, site)
        )
        for code in ("bcc-sk", "no-one")
    )
    assert foreign.status_code == 404
    assert bare(foreign, "bcc-sk") == bare(absent, "no-one")


READING_ROUTES = [line for line in lines() if "{assignment}" in line.path]


@pytest.mark.parametrize("state", [ReadingState.SERVED, ReadingState.LOCKED, ReadingState.REVEALED])
@pytest.mark.parametrize("line", READING_ROUTES, ids=str)
def test_a3_another_readers_case_is_as_absent_as_none(
    site: Site, line: Line, state: ReadingState
) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, state)
    browser = site.browser(cast.rolf)
    foreign, absent = (
        browser.request(
            line.method, line.path.format(assignment=target, position=1), **form_of(line, site)
        )
        for target in (assignment, uuid4())
    )
    assert foreign.status_code == 404
    assert bare(foreign) == bare(absent)


def test_a3_a_reader_of_no_study_finds_none(site: Site) -> None:
    ruth = make_account(site.cast.database, "ruth@example.org", AccountRole.READER)
    browser = site.browser(ruth)
    assert "BCC or SK" not in browser.get("/").text
    foreign, absent = (browser.get(f"/studies/{code}/read") for code in ("bcc-sk", "no-one"))
    assert foreign.status_code == 404
    assert bare(foreign, "bcc-sk") == bare(absent, "no-one")


def test_a3_a_readers_image_of_a_case_not_served_is_as_absent_as_none(site: Site) -> None:
    cast = site.cast
    bring_to(cast, cast.rita, ReadingState.SERVED)
    with cast.begin(Role.READER, cast.rita) as connection:
        later = connection.execute("SELECT id FROM assignment WHERE position = 2").fetchone()[0]
    browser = site.browser(cast.rita)
    own, absent = (browser.get(f"/readings/{target}/images/1") for target in (later, uuid4()))
    assert own.status_code == 404
    assert bare(own) == bare(absent)


# ---------------------------------------------------------------- odd addresses

ODD = [
    "/readings/x/images/1",
    "/readings/{assignment}/images/one",
    "/readings/{assignment}/images/-1",
    "/readings/{assignment}/images/0",
    "/readings/{assignment}/images/2",
    "/readings/{assignment}/images/99999999999999999999999999",
    "/readings/{assignment}/overlays/99999999999999999999999999",
    "/readings/{assignment}/images/%D9%A1%D9%A1",
    "/studies/%00/read",
    "/studies/bcc-sk%00/read",
    "/studies/%F0%9F%92%A9/read",
    "/studies/%FF%FE/read",
    "/studies/bcc-sk%27%20OR%201=1/read",
    "/studies/" + "a" * 5000 + "/read",
    "/static/../app/main.py",
    "/static/%2e%2e/app/main.py",
    "/static/..%2f..%2fpyproject.toml",
    "//evil.example/studies",
    "/docs",
    "/openapi.json",
    "/redoc",
]


@pytest.mark.parametrize("path", ODD, ids=lambda path: path[:60])
def test_i7_an_odd_address_is_not_there_and_no_error(site: Site, path: str) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.REVEALED)
    answer = site.browser(cast.rita).get(path.replace("{assignment}", str(assignment)))
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"].startswith(("text/html", "text/plain"))


@pytest.mark.parametrize("path", ["/studies/%00", "/studies/a%00b/cases", "/studies/a%00/results"])
def test_d11_a_nul_in_an_address_is_a_refusal_for_coordinators_too(site: Site, path: str) -> None:
    assert site.browser(site.cast.cora).get(path).status_code == 422


def test_d11_a_nul_in_any_field_is_a_refusal(site: Site) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    forms = [
        (cast.rita, f"/readings/{assignment}/unaided", ["call", "confidence", "submission_id"]),
        (cast.cora, "/studies/new", ["code", "title", "instructions"]),
        (cast.cora, "/studies/bcc-sk/invitations", ["email"]),
        (cast.cora, "/studies/bcc-sk/score", ["model_version"]),
        (cast.cora, "/studies/bcc-sk/unblind", ["password", "reason"]),
        (None, "/sign-in", ["email", "password", "next"]),
    ]
    for account, path, fields in forms:
        answer = site.browser(account).post(path, data=dict.fromkeys(fields, "a\x00b"))
        assert answer.status_code == 422, path


def test_a13_a_route_that_is_not_there_says_so_without_telling_who_is_signed_in(
    site: Site,
) -> None:
    browsers: list[TestClient] = [site.browser(), site.browser(site.cast.rita)]
    assert bare(browsers[0].get("/nothing")) == bare(browsers[1].get("/nothing"))
