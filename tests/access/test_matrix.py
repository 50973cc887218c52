"""Who may call what: every route, its permission, and the answer to each person (A1, A2, A3).

The table is the specification: a route that is not in it fails the first test.
"""

import re
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.actions.design_study import create_study, find_study, open_study
from app.actions.draw_orders import enrol_reader
from app.actions.invite_people import invite
from app.actions.manage_own_account import make_reset
from app.db import accounts
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.domain.reading import ReadingState
from app.web.access import permission_of, refuse_undeclared, routes_of
from tests.conftest import Cast, case_files, import_files, make_account, score_by_hand
from tests.reading.steps import at, bring_to, lock, superuser
from tests.web.site import Site

ABSENT = UUID("00000000-0000-4000-8000-000000000000")

# Of the open study "bcc-sk", which Cora coordinates and Rita and Rolf read in; {assignment} is
# Rita's current case. Dora reads in it too, but her account was disabled while she was signed in.
MATRIX = """
method path                                        permission        nobody Dora Olga Rolf Rita Cora
GET    /sign-in                                    anyone            200    200  200  200  200  200
POST   /sign-in                                    anyone            422    422  422  422  422  422
GET    /confirm                                    enrolling         303    303  200  200  200  200
POST   /confirm                                    enrolling         401    401  422  422  422  422
POST   /language                                   anyone            422    422  422  422  422  422
POST   /sign-out                                   enrolling         401    401  303  303  303  303
GET    /invitations/{token}                        anyone            200    200  200  200  200  200
POST   /invitations/{token}                        anyone            422    422  422  422  422  422
GET    /                                           signed_in         303    303  200  200  200  200
GET    /health                                     anyone            200    200  200  200  200  200
GET    /sign-in/code                               anyone            200    200  200  200  200  200
POST   /sign-in/code                               anyone            401    401  401  401  401  401
POST   /sign-in/passkey/challenge                  anyone            404    404  404  404  404  404
POST   /sign-in/passkey                            anyone            404    404  404  404  404  404
POST   /account/passkeys/challenge                 signed_in         401    401  404  404  404  404
POST   /account/passkeys                           signed_in         401    401  404  404  404  404
POST   /account/passkeys/{passkey}/removed         signed_in         401    401  404  404  404  404
GET    /sign-in/provider                           anyone            404    404  404  404  404  404
GET    /sign-in/provider/done                      anyone            404    404  404  404  404  404
GET    /account/second-factor                      enrolling         303    303  200  200  200  200
POST   /account/second-factor                      enrolling         401    401  200  200  200  200
POST   /account/second-factor/confirmed            enrolling         401    401  409  409  409  409
POST   /account/second-factor/removed              enrolling         401    401  422  422  422  422
GET    /lost-password                              anyone            200    200  200  200  200  200
POST   /lost-password                              anyone            200    200  200  200  200  200
GET    /new-password/{reset}                       anyone            200    200  200  200  200  200
POST   /new-password/{reset}                       anyone            422    422  422  422  422  422
GET    /account                                    signed_in         303    303  200  200  200  200
POST   /account/password                           signed_in         401    401  422  422  422  422
POST   /account/sessions/ended                     signed_in         401    401  303  303  303  303
POST   /account/sessions/{session}/ended           signed_in         401    401  404  404  404  404
GET    /ready                                      anyone            503    503  503  503  503  503
GET    /metrics                                    operator          404    404  404  404  404  404
GET    /studies/new                                coordinator_only  303    303  200  403  403  200
POST   /studies/new                                coordinator_only  401    401  303  403  403  409
GET    /studies/{code}                             coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/progress                    coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/import                      coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/import/samples/{name}       coordinator_only  303    303  404  403  403  404
POST   /studies/{code}/import                      coordinator_only  401    401  404  403  403  422
GET    /studies/{code}/addition                    coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/addition/progress           coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/addition                    coordinator_only  401    401  404  403  403  409
POST   /studies/{code}/score                       coordinator_only  401    401  404  403  403  303
POST   /studies/{code}/open                        coordinator_only  401    401  404  403  403  409
POST   /studies/{code}/close                       coordinator_only  401    401  404  403  403  303
POST   /studies/{code}/invitations                 coordinator_only  401    401  404  403  403  200
GET    /studies/{code}/readers                     coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/readers/{person}            coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/readers/{person}/messages   coordinator_only  401    401  404  403  403  200
GET    /studies/{code}/letters                     coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/letters                     coordinator_only  401    401  404  403  403  200
POST   /studies/{code}/people/{person}/part        coordinator_only  401    401  404  403  403  303
GET    /studies/{code}/consent                     coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/consent                     coordinator_only  401    401  404  403  403  303
GET    /studies/{code}/adjudication                signed_in         303    303  404  404  404  404
POST   /studies/{code}/adjudication/{case}         signed_in         401    401  404  404  404  404
GET    /studies/{code}/adjudication/{case}/images/{position} signed_in 303  303  404  404  404  404
GET    /studies/{code}/audit                       signed_in         303    303  404  404  404  409
GET    /studies/{code}/audit.jsonl                 signed_in         303    303  404  404  404  409
GET    /accounts                                   administrator_only 303   303  403  403  403  403
GET    /accounts/{account}                         administrator_only 303   303  403  403  403  403
POST   /accounts/{account}/reset                   administrator_only 401   401  403  403  403  403
GET    /log                                        administrator_only 303   303  403  403  403  403
GET    /log.jsonl                                  administrator_only 303   303  403  403  403  403
POST   /accounts/{account}/second-factor/removed   administrator_only 401   401  403  403  403  403
POST   /accounts/{account}/provider/removed        administrator_only 401   401  403  403  403  403
POST   /accounts/{account}/disabled                administrator_only 401   401  403  403  403  403
GET    /studies/{code}/design                      coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/design                      coordinator_only  401    401  404  403  403  303
GET    /studies/{code}/preview                     coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/preview                     coordinator_only  401    401  404  403  403  303
POST   /studies/{code}/copy                        coordinator_only  401    401  404  403  403  303
GET    /studies/{code}/monitor                     coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/monitor/live                coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/cases                       coordinator_only  303    303  404  403  403  200
GET    /studies/{code}/cases/{case}/images/{position} coordinator_only 303  303  404  403  403  200
GET    /studies/{code}/cases/{case}                coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/cases/{case}/exclusion      coordinator_only  401    401  404  403  403  303
POST   /studies/{code}/cases/{case}/readmission    coordinator_only  401    401  404  403  403  409
GET    /studies/{code}/readings/{reading}          coordinator_only  303    303  404  403  403  404
POST   /studies/{code}/readings/{reading}/corrections coordinator_only 401  401  404  403  403  404
POST   /studies/{code}/readers/{person}/washout    coordinator_only  401    401  404  403  403  409
GET    /studies/{code}/seen-before                 coordinator_only  303    303  404  403  403  200
POST   /studies/{code}/seen-before                 coordinator_only  401    401  404  403  403  422
GET    /studies/{code}/unblind                     coordinator_only  303    303  404  403  403  409
POST   /studies/{code}/unblind                     coordinator_only  401    401  404  403  403  409
GET    /studies/{code}/results                     coordinator_only  303    303  404  403  403  409
GET    /studies/{code}/results/pairs               coordinator_only  303    303  404  403  403  409
GET    /studies/{code}/results/analysis.json       coordinator_only  303    303  404  403  403  409
GET    /studies/{code}/results/roc/{reader}.{form} coordinator_only  303    303  404  403  403  409
GET    /studies/{code}/results/changes/{reader}.{form} coordinator_only 303 303  404  403  403  409
GET    /studies/{code}/results/figures/{figure}.{form} coordinator_only 303 303  404  403  403  409
GET    /studies/{code}/export/{name}               coordinator_only  303    303  404  403  403  409
GET    /tokens                                     coordinator_only  303    303  200  403  403  200
POST   /tokens                                     coordinator_only  401    401  200  403  403  200
POST   /tokens/{token_id}/revoked                  coordinator_only  401    401  404  403  403  404
GET    /api/openapi.json                           anyone            200    200  200  200  200  200
GET    /api/docs                                   signed_in         303    303  200  200  200  200
GET    /api/v1/studies                             token_reads       401    401  401  401  401  401
GET    /api/v1/studies/{code}                      token_reads       401    401  401  401  401  401
GET    /api/v1/studies/{code}/cases                token_reads       401    401  401  401  401  401
GET    /api/v1/studies/{code}/readers              token_reads       401    401  401  401  401  401
POST   /api/v1/studies                             token_writes      401    401  401  401  401  401
POST   /api/v1/studies/{code}/cases                token_writes      401    401  401  401  401  401
POST   /api/v1/studies/{code}/invitations          token_writes      401    401  401  401  401  401
GET    /api/v1/studies/{code}/results              token_exports     401    401  401  401  401  401
GET    /api/v1/studies/{code}/export/{name}        token_exports     401    401  401  401  401  401
GET    /models/{model}                             coordinator_only  303    303  200  403  403  200
GET    /studies/{code}/read                        reader_only       303    303  403  200  200  403
GET    /studies/{code}/start                       reader_only       303    303  403  200  200  403
POST   /studies/{code}/start                       reader_only       401    401  403  303  303  403
POST   /studies/{code}/read                        reader_only       401    401  403  200  200  403
POST   /studies/{code}/next                        reader_only       401    401  403  303  303  403
POST   /readings/{assignment}/unaided              reader_only       401    401  403  404  303  403
POST   /readings/{assignment}/reveal               reader_only       401    401  403  404  303  403
POST   /readings/{assignment}/aided                reader_only       401    401  403  404  303  403
GET    /keys                                       reader_only       303    303  403  200  200  403
POST   /keys                                       reader_only       401    401  403  422  422  403
POST   /keys/single                                reader_only       401    401  403  303  303  403
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
}


def form_of(line: Line, site: Site) -> dict[str, object]:
    """What the page's own form would send."""
    if line.path.endswith("/import") and line.method == "POST":
        table, pack = case_files(1)
        return {
            "files": {"cases": ("cases.csv", table), "images": ("images.zip", pack)},
            "data": {"action": "import", "attested": "yes"},
        }
    call = {"call": "BCC", "confidence": "70", "submission_id": str(uuid4())}
    forms = {
        "/sign-in": {"email": "rita@example.org", "password": "not this"},
        "/invitations/{token}": {"name": "Ruth", "password": "short"},
        "/studies/new": {"code": "bcc-sk", "title": "The code is taken"},
        "/studies/{code}/score": {"model_version": str(site.cast.study.model_version_id)},
        "/studies/{code}/invitations": {"email": "ruth@example.org"},
        "/studies/{code}/readers/{person}/messages": {"kind": "reminder"},
        "/studies/{code}/people/{person}/part": {"part": "reader", "reason": "None."},
        "/studies/{code}/consent": {"text": "I consent."},
        "/studies/{code}/start": {
            "years_experience": "3",
            "specialty": "dermatology",
            "training": "specialist",
        },
        "/studies/{code}/adjudication/{case}": {"diagnosis": "BCC", "source": "histopathology"},
        "/studies/{code}/unblind": {"password": "not this", "reason": "None.", "meant": "yes"},
        "/studies/{code}/design": {"title": "Another title", "reason": "A better title."},
        "/studies/{code}/cases/{case}/exclusion": {"reason": "No lesion."},
        "/studies/{code}/cases/{case}/readmission": {"reason": "It has one."},
        "/studies/{code}/readings/{reading}/corrections": {"kind": "void", "reason": "A slip."},
        "/studies/{code}/readers/{person}/washout": {"days": "14", "reason": "Leaves."},
        "/studies/{code}/letters": {"kind": "reminder"},
        "/studies/{code}/addition": {"reason": "More came."},
        "/studies/{code}/copy": {"new_code": "the-copy", "new_title": "The copy"},
        "/confirm": {"password": "not this"},
        "/lost-password": {"email": "rita@example.org"},
        "/new-password/{reset}": {"password": "short"},
        "/account/password": {"current": "not this", "new": "a sentence of my own"},
        "/tokens": {"name": "progress", "scopes": "read"},
        "/studies/{code}/read": {"language": "en"},
        "/readings/{assignment}/unaided": call,
        "/readings/{assignment}/aided": call,
    }
    return {"data": forms.get(line.path, {})}


def real_ids(cast: Cast, site: Site) -> dict[str, str]:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        token = invite(
            connection,
            study=cast.study,
            email="ruth@example.org",
            now=site.clock(),
            by=cast.cora,
        )
        case = connection.execute("SELECT id FROM study_case LIMIT 1").fetchone()[0]
    with cast.begin(Role.ACCOUNT, None) as connection:
        reset = make_reset(connection, account=cast.rolf.id, now=site.clock(), by=None)
    return {
        "code": "bcc-sk",
        "token": token,
        "reset": reset,
        "session": str(cast.rolf.id),
        "passkey": str(cast.rolf.id),
        "assignment": str(at(cast, cast.rita).assignment.id),
        "case": str(case),
        "position": "1",
        "reader": "R01",
        "reading": str(uuid4()),
        "person": str(cast.rolf.id),
        "account": str(cast.rolf.id),
        "token_id": str(cast.rolf.id),
        "figure": "bars",
        "form": "svg",
        "name": "readings.csv",
        "model": str(cast.study.model_version_id),
    }


@pytest.fixture(scope="module")
def revealed(open_site: Site) -> str:
    """Rita's current case, in the state that shows most; for tests that change nothing."""
    cast = open_site.cast
    return str(bring_to(cast, cast.rita, ReadingState.REVEALED))


def test_a1_the_table_names_every_route_and_its_permission(open_site: Site) -> None:
    declared = {
        (method, route.path, permission_of(route))
        for route in routes_of(open_site.app)
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


def passwordless_reader(cast: Cast, email: str) -> UUID:
    """An account without the cost of a password's hash: sessions are opened without it here."""
    with cast.begin(Role.ACCOUNT, None) as connection:
        return accounts.insert_account(
            connection, email=email, name="Dora", role=AccountRole.READER, password_hash=None
        )


def ask_everybody(site: Site, line: Line) -> dict[str, Response]:
    """Those who may change something come last, so that it is there for all before them."""
    cast = site.cast
    dora = passwordless_reader(cast, f"dora{uuid4().hex}@example.org")
    people = {
        "nobody": None,
        "Dora": Account(dora, "", "Dora", AccountRole.READER, simulated=False),
        "Olga": cast.olga,
        "Rolf": cast.rolf,
        "Rita": cast.rita,
        "Cora": cast.cora,
    }
    browsers = {name: site.browser(account) for name, account in people.items()}
    with superuser(cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE id = %s", [dora])
    path = line.path.format(**real_ids(cast, site))
    return {
        name: browsers[name].request(line.method, path, **own_form(line, site, name))
        for name in line.statuses
    }


@pytest.mark.usefixtures("revealed")
@pytest.mark.parametrize("line", [line for line in lines() if line.method == "GET"], ids=str)
def test_a2_each_person_is_shown_what_the_table_says(open_site: Site, line: Line) -> None:
    answers = ask_everybody(open_site, line)
    assert {name: answer.status_code for name, answer in answers.items()} == line.statuses
    for answer in answers.values():
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/sign-in?next=")


@pytest.mark.parametrize("line", [line for line in lines() if line.method != "GET"], ids=str)
def test_a2_each_person_may_do_what_the_table_says(site: Site, line: Line) -> None:
    bring_to(site.cast, site.cast.rita, STATES.get(line.path, ReadingState.SERVED))
    answers = ask_everybody(site, line)
    assert {name: answer.status_code for name, answer in answers.items()} == line.statuses


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
def test_a3_another_coordinators_study_is_as_absent_as_none(open_site: Site, line: Line) -> None:
    browser = open_site.browser(open_site.cast.olga)
    ids = real_ids(open_site.cast, open_site)
    foreign, absent = (
        browser.request(
            line.method, line.path.format(**{**ids, "code": code}), **form_of(line, open_site)
        )
        for code in ("bcc-sk", "no-one")
    )
    assert foreign.status_code == 404
    assert bare(foreign, "bcc-sk") == bare(absent, "no-one")


@pytest.fixture(scope="module")
def of_another_study(open_site: Site) -> dict[str, str]:
    """Things of a study that Olga coordinates, which are there: a case, its reader, a reading."""
    cast = open_site.cast
    ruth = make_account(cast.database, "ruth@example.org", AccountRole.READER)
    with cast.begin(Role.COORDINATOR, cast.olga) as connection:
        create_study(connection, code="hers", title="Hers", seed=2, by=cast.olga)
        hers = find_study(connection, code="hers")
        enrol_reader(connection, study=hers.id, reader=ruth.id)
    import_files(cast.database, cast.storage, hers, case_files(2), by=cast.olga)
    score_by_hand(cast.database, cast.storage, hers, model="another made up for a test")
    with cast.begin(Role.COORDINATOR, cast.olga) as connection:
        open_study(connection, study=find_study(connection, code="hers"), by=cast.olga)
    lock(replace(cast, study=hers), ruth)
    with superuser(cast) as owner:
        case, person, reading = owner.execute(
            """SELECT a.case_id::text, r.reader_id::text, r.id::text FROM reading r
               JOIN assignment a ON a.id = r.assignment_id WHERE r.study_id = %s""",
            [hers.id],
        ).fetchone()
    return {"case": case, "person": person, "reading": reading}


@pytest.mark.parametrize(
    "line",
    [line for line in STUDY_ROUTES if re.search(r"\{(case|person|reading)\}", line.path)],
    ids=str,
)
def test_a3_what_is_of_another_study_is_as_absent_in_ones_own_as_none(
    open_site: Site, of_another_study: dict[str, str], line: Line
) -> None:
    """The study is Cora's own, the thing is not: an id alone opens nothing."""
    browser = open_site.browser(open_site.cast.cora)
    ids = real_ids(open_site.cast, open_site)
    foreign, absent = (
        browser.request(line.method, line.path.format(**{**ids, **one}), **form_of(line, open_site))
        for one in (of_another_study, dict.fromkeys(of_another_study, str(ABSENT)))
    )
    assert foreign.status_code in {403, 404, 409}, foreign.text
    assert bare(foreign, *of_another_study.values()) == bare(absent, str(ABSENT))


READING_ROUTES = [line for line in lines() if "{assignment}" in line.path]


@pytest.mark.parametrize("state", [ReadingState.SERVED, ReadingState.LOCKED, ReadingState.REVEALED])
def test_a3_another_readers_case_is_as_absent_as_none(site: Site, state: ReadingState) -> None:
    assignment = bring_to(site.cast, site.cast.rita, state)
    browser = site.browser(site.cast.rolf)
    for line in READING_ROUTES:
        foreign, absent = (
            browser.request(
                line.method, line.path.format(assignment=target, position=1), **form_of(line, site)
            )
            for target in (assignment, uuid4())
        )
        assert foreign.status_code == 404, line
        assert bare(foreign) == bare(absent), line


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
def test_i7_an_odd_address_is_not_there_and_no_error(
    open_site: Site, revealed: str, path: str
) -> None:
    browser = open_site.browser(open_site.cast.rita)
    answer = browser.get(path.replace("{assignment}", revealed))
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"].startswith(("text/html", "text/plain"))


@pytest.mark.parametrize("path", ["/studies/%00", "/studies/a%00b/cases", "/studies/a%00/results"])
def test_d11_a_nul_in_an_address_is_a_refusal_for_coordinators_too(
    open_site: Site, path: str
) -> None:
    assert open_site.browser(open_site.cast.cora).get(path).status_code == 422


def test_d11_a_nul_in_any_field_is_a_refusal(site: Site) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    forms = [
        (cast.rita, f"/readings/{assignment}/unaided", ["call", "confidence", "submission_id"]),
        (cast.cora, "/studies/new", ["code", "title", "instructions"]),
        (cast.cora, "/studies/bcc-sk/invitations", ["email"]),
        (cast.cora, "/studies/bcc-sk/score", ["model_version"]),
        (None, "/sign-in", ["email", "password", "next"]),
    ]
    for account, path, fields in forms:
        answer = site.browser(account).post(path, data=dict.fromkeys(fields, "a\x00b"))
        assert answer.status_code == 422, path


def test_a13_a_route_that_is_not_there_says_so_without_telling_who_is_signed_in(
    open_site: Site,
) -> None:
    browsers: list[TestClient] = [open_site.browser(), open_site.browser(open_site.cast.rita)]
    assert bare(browsers[0].get("/nothing")) == bare(browsers[1].get("/nothing"))


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/debug", "/docs/oauth2-redirect"]
)
def test_a13_there_is_no_page_of_the_framework(open_site: Site, path: str) -> None:
    assert open_site.app.debug is False
    for account in (None, open_site.cast.cora):
        assert open_site.browser(account).get(path).status_code == 404


def test_a13_trace_sends_nothing_back(open_site: Site) -> None:
    browser = open_site.browser(open_site.cast.cora, **{"X-Canary": "canary"})
    for path in ("/", "/studies/bcc-sk", "/static/reread.css", "/api/v1/studies"):
        answer = browser.request("TRACE", path)
        assert answer.status_code in {401, 404, 405}, path
        assert b"canary" not in answer.content
