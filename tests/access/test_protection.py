"""What surrounds every request: same origin, known hosts, headers on all answers (A7, A11, A12)."""

import io
from uuid import uuid4

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.actions import guessing
from app.db.session import Role
from app.domain.reading import ReadingState
from app.web.access import routes_of
from app.web.protection import HEADERS, POLICY
from tests.conftest import PASSWORD, Cast
from tests.reading.steps import at, bring_to, superuser
from tests.web.site import ADDRESS, Places, Site

# ---------------------------------------------------------------- same origin


def unsafe_routes(site: Site) -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in routes_of(site.app)
        for method in route.methods
        if method not in {"GET", "HEAD", "OPTIONS"}
        and not route.path.startswith("/api/v1/")  # reads no cookie: access/test_api.py
    ]


FORGED = {
    "from another site": {"Sec-Fetch-Site": "cross-site"},
    "from a neighbour": {"Sec-Fetch-Site": "same-site"},
    "typed by nobody": {"Sec-Fetch-Site": "none"},
    "with an odd header": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "cross-site though the origin fits": {"Sec-Fetch-Site": "cross-site", "Origin": ADDRESS},
    "without a word on where from": {},
    "from another origin": {"Origin": "https://evil.example"},
    "from another port": {"Origin": "http://127.0.0.1:9000"},
    "from a name that begins alike": {"Origin": "http://127.0.0.1:8000.evil.example"},
    "from nowhere": {"Origin": "null"},
    "from another scheme": {"Origin": "ftp://127.0.0.1:8000"},
    "from an address that cannot be read": {"Origin": "http://["},
    "with a referrer only": {"Referer": f"{ADDRESS}/studies/bcc-sk"},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_a7_every_unsafe_route_refuses_a_form_of_another_site(
    open_site: Site, headers: dict[str, str]
) -> None:
    """Also for those who are signed in and would be allowed."""
    browser = open_site.browser(open_site.cast.cora)
    del browser.headers["Sec-Fetch-Site"]
    routes = unsafe_routes(open_site)
    assert len(routes) >= 13
    for method, path in routes:
        answer = browser.request(method, path, headers=headers)
        assert answer.status_code == 403, path
        assert "not sent from a page of this site" in answer.text


def test_a7_a_header_said_twice_is_not_believed(open_site: Site) -> None:
    browser = open_site.browser(open_site.cast.cora)
    del browser.headers["Sec-Fetch-Site"]
    twice = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")]
    assert browser.post("/studies/bcc-sk/close", headers=twice).status_code == 403


def test_a7_a_refused_form_changes_nothing(site: Site) -> None:
    browser = site.browser(site.cast.cora)
    answer = browser.post("/studies/bcc-sk/close", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert site.cast.reload().state == "open"


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": ADDRESS}])
def test_a7_a_form_of_this_site_is_taken(site: Site, headers: dict[str, str]) -> None:
    """So that the refusals above are not for another reason."""
    browser = site.browser(site.cast.cora)
    del browser.headers["Sec-Fetch-Site"]
    assert browser.post("/studies/bcc-sk/close", headers=headers).status_code == 303
    assert site.cast.reload().state == "closed"


def test_a7_where_the_site_has_tls_a_page_of_its_host_without_it_is_another_site(
    open_copy: Cast,
) -> None:
    """Somebody on the network can write such a page; browsers that send no Fetch Metadata."""
    site = Site(open_copy, public_url="https://reread.example.org")
    browser = site.browser()
    del browser.headers["Sec-Fetch-Site"]
    form = {"email": "rita@example.org", "password": "not the password"}
    for origin, status in (
        ("http://reread.example.org", 403),
        ("https://reread.example.org", 422),
    ):
        answer = browser.post("/sign-in", data=form, headers={"Origin": origin})
        assert answer.status_code == status, origin


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "X"])
def test_a7_other_methods_do_nothing(open_site: Site, method: str) -> None:
    browser = open_site.browser(open_site.cast.cora)
    assert browser.request(method, "/studies/bcc-sk/close").status_code in {404, 405}
    assert open_site.cast.reload().state == "open"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/studies/bcc-sk/letters", "GET, POST"),  # a page and its form: two routes
        ("GET", "/sign-out", "POST"),
        ("PUT", "/api/v1/studies/bcc-sk", "GET"),
        ("POST", "/static/reread.css", "GET, HEAD"),
        ("HEAD", "/health", "GET"),
    ],
)
def test_a_method_that_an_address_does_not_have_is_told_those_it_has(
    open_site: Site, method: str, path: str, allowed: str
) -> None:
    answer = open_site.browser(open_site.cast.cora).request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_a7_head_is_refused_by_every_page_and_writes_nothing(site: Site) -> None:
    """Not answered like GET: an export or a look at the log would be written down, and none was."""
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.LOCKED)
    values = {"code": "bcc-sk", "assignment": assignment, "position": 1, "name": "readings.csv"}
    browsers = [site.browser(person) for person in (None, cast.rita, cast.cora)]
    before = {**study_digest(cast), "audit_event": events_logged(cast)}
    pages = [route.path for route in routes_of(site.app) if "GET" in route.methods]
    assert len(pages) >= 60
    for page in pages:
        for browser in browsers:
            answer = browser.head(page.format_map(Places(values)))
            assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True), page
    assert {**study_digest(cast), "audit_event": events_logged(cast)} == before
    assert site.browser().head("/static/reread.css").status_code == 200


def events_logged(cast: Cast) -> str:
    """How many events all logs have."""
    with superuser(cast) as owner:
        return str(owner.execute("SELECT count(*) FROM audit_event").fetchone()[0])


def study_digest(cast: Cast) -> dict[str, str]:
    """What the tables hold, row by row; only the log and the sessions are left out."""
    left_out = {"audit_event", "sign_in_session", "alembic_version"}
    with superuser(cast) as owner:
        names = [
            row[0]
            for row in owner.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'reread'"
            ).fetchall()
            if row[0] not in left_out
        ]
        assert len(names) >= 17
        return {
            name: owner.execute(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"  # noqa: S608
            ).fetchone()[0]
            for name in names
        }


def test_a7_no_get_changes_anything_in_any_table(site: Site) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.REVEALED)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        case = connection.execute("SELECT id FROM study_case LIMIT 1").fetchone()[0]
    values = {
        "code": "bcc-sk",
        "assignment": assignment,
        "case": case,
        "position": 1,
        "reader": "R01",
        "form": "svg",
        "name": "readings.csv",
        "model": cast.study.model_version_id,
    }
    browsers = [site.browser(p) for p in (None, cast.rita, cast.rolf, cast.cora, cast.olga)]
    before = study_digest(cast)
    asked = 0
    for route in routes_of(site.app):
        if "GET" in route.methods:
            for browser in browsers:
                browser.get(route.path.format_map(Places(values)))
                asked += 1
    assert asked >= 95
    assert study_digest(cast) == before


# ---------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:8000", "localhost.evil.example", "",
     "[", "[::1", "a]b", "127.0.0.1:8000@evil.example", "evil@127.0.0.1", "127.0.0.1:port",
     "127.0.0.1:8000/x", "127.0.0.1 evil.example", "127.0.0.2", "\xff"]
)  # fmt: skip
def test_a12_a_forged_host_is_refused(open_site: Site, host: str) -> None:
    for browser in (open_site.browser(), open_site.browser(open_site.cast.cora)):
        answer = browser.get("/studies/bcc-sk", headers={"Host": host.encode("latin-1")})
        assert answer.status_code == 400
        assert answer.headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_a12_the_machines_own_names_are_served(open_site: Site, host: str) -> None:
    assert open_site.browser().get("/health", headers={"Host": host}).status_code == 200


def test_a12_with_a_public_address_only_its_host_is_served(open_copy: Cast) -> None:
    site = Site(open_copy, public_url="https://reread.example.org")
    browser = site.browser()
    assert browser.get("/health").status_code == 200
    for host in ("127.0.0.1", "localhost", "example.org", "reread.example.org.evil.example"):
        assert browser.get("/health", headers={"Host": host}).status_code == 400


def test_a12_forwarded_headers_move_no_redirect_and_no_link(site: Site) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    browser = site.browser(site.cast.cora, **forged)
    answer = browser.post("/studies/bcc-sk/invitations", data={"email": "ruth@example.org"})
    assert f"{ADDRESS}/invitations/" in answer.text
    assert "evil.example" not in answer.text


# ---------------------------------------------------------------- headers


def assert_protected(answer: Response, *, static: bool = False) -> None:
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    stored = answer.headers["Cache-Control"]
    assert stored == ("public, max-age=31536000, immutable" if static else "no-store")
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


def test_a11_p6_the_policy_lets_in_nothing_from_elsewhere_and_nothing_inline() -> None:
    allowed = {part.split()[0]: part.split()[1:] for part in POLICY.split("; ")}
    assert allowed["default-src"] == allowed["object-src"] == ["'none'"]
    assert allowed["frame-ancestors"] == allowed["base-uri"] == ["'none'"]
    others = {v for name, values in allowed.items() for v in values}
    assert others == {"'none'", "'self'"}


def too_often(site: Site) -> Response:
    """Guess at a password until no more guess is taken."""
    with superuser(site.cast) as owner:
        owner.execute(
            """INSERT INTO sign_in_failure (email_sha256, address, failed_at)
               SELECT sha256('rita@example.org'), '192.0.2.1', %s FROM generate_series(1, %s)""",
            [site.clock(), guessing.PER_SUBJECT],
        )
    form = {"email": "rita@example.org", "password": "a guess"}
    return site.browser().post("/sign-in", data=form)


def test_a11_b7_every_answer_carries_the_headers_whatever_its_status(site: Site) -> None:
    cast = site.cast
    rita, cora = site.browser(cast.rita), site.browser(cast.cora)
    assignment = bring_to(cast, cast.rita, ReadingState.REVEALED)
    answers = {
        200: rita.get("/studies/bcc-sk/read"),
        303: site.browser().get("/"),
        400: rita.get("/", headers={"Host": "evil.example"}),
        401: site.browser().post("/sign-out"),
        403: rita.get("/studies/bcc-sk"),
        404: rita.get("/nothing"),
        405: rita.delete("/"),
        409: cora.get("/studies/bcc-sk/results"),
        413: cora.post("/studies/new", data={"title": "x" * 2_000_000}),
        422: rita.post(f"/readings/{assignment}/aided", data={}),
        429: too_often(site),
        503: site.browser().get("/ready"),
    }
    assert int(answers[429].headers["Retry-After"]) > 0
    for status, answer in answers.items():
        assert answer.status_code == status
        assert_protected(answer)
    for kind in ("images", "overlays"):
        picture = rita.get(f"/readings/{assignment}/{kind}/1")
        assert picture.status_code == 200
        assert_protected(picture)


def test_a11_even_an_error_of_the_program_carries_them_and_tells_nothing(site: Site) -> None:
    def broken() -> None:
        raise RuntimeError("a secret of the program")

    site.app.router.add_route("/broken", lambda _request: broken())
    answer = site.browser().get("/broken")
    assert answer.status_code == 500
    assert_protected(answer)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_a11_static_files_are_kept_but_a_missing_one_is_not(open_site: Site) -> None:
    browser = open_site.browser()
    found = browser.get("/static/reread.css")
    assert found.status_code == 200
    assert_protected(found, static=True)
    missing = browser.get("/static/nothing.css")
    assert missing.status_code == 404
    assert_protected(missing)


def test_a11_over_https_the_browser_stays_there(open_copy: Cast) -> None:
    site = Site(open_copy, public_url="https://reread.example.org")
    for path in ("/sign-in", "/nothing", "/static/reread.css"):
        answer = site.browser().get(path)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in Site(open_copy).browser().get("/sign-in").headers


def test_a6_over_https_the_cookie_is_bound_to_the_host(open_copy: Cast) -> None:
    site = Site(open_copy, public_url="https://reread.example.org")
    answer = sign_in(site.browser())
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-reread=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    assert "samesite=lax" in cookie.lower()
    assert "domain" not in cookie.lower()


def sign_in(browser: TestClient) -> Response:
    return browser.post("/sign-in", data={"email": "rita@example.org", "password": PASSWORD})


# ---------------------------------------------------------------- sizes


def test_i5_a_form_that_is_too_large_is_refused(open_site: Site) -> None:
    cora = open_site.browser(open_site.cast.cora)
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    forms: list[dict[str, object]] = [
        {"data": {"title": "x" * 2_000_000}},
        {"files": {"title": ("x", io.BytesIO(b"x" * 2_000_000))}},
        # in pieces, without saying beforehand how much it will be
        {"content": iter([b"title=", *[b"x" * 50_000] * 40]), "headers": urlencoded},
    ]
    for form in forms:
        assert cora.post("/studies/new", **form).status_code == 413


def whole_call(site: Site) -> tuple[str, dict[str, str]]:
    """Rita's case, shown, and a form that would lock it."""
    assignment = bring_to(site.cast, site.cast.rita, ReadingState.SERVED)
    form = {"call": "BCC", "confidence": "70", "submission_id": str(uuid4())}
    return f"/readings/{assignment}/unaided", form


@pytest.mark.parametrize("kind", ["urlencoded", "multipart", "multipart of files"])
def test_i5_a_form_of_very_many_fields_is_refused_although_it_would_do(
    site: Site, kind: str
) -> None:
    """Each field costs an object; a million of one byte fit into a form that is not too large."""
    path, form = whole_call(site)
    rita = site.browser(site.cast.rita)
    many = [f"a{number}" for number in range(1100)]
    sent: dict[str, object] = {"data": {**form, **dict.fromkeys(many, "1")}}
    if kind == "multipart":
        sent["files"] = {"file": ("x", b"x")}
    elif kind == "multipart of files":
        sent = {"data": form, "files": dict.fromkeys(many, ("x", b"x"))}
    refused = rita.post(path, **sent)
    assert refused.status_code == 400
    assert at(site.cast, site.cast.rita).state is ReadingState.SERVED
    few = {**form, **dict.fromkeys(many[:20], "1")}
    assert rita.post(path, data=few).status_code == 303, "it was refused for their number"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/json", b'{"call": "BCC"}'),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nnothing of the kind"),
        ("application/x-www-form-urlencoded", b"%00%ff%fe=%&&&===" * 100),
        ("text/plain", b"\x00\xff"),
        ("", b"call=BCC"),
    ],
)
def test_i7_a_body_that_is_no_form_is_a_refusal(open_site: Site, kind: str, content: bytes) -> None:
    rita = open_site.browser(open_site.cast.rita)
    for target in (at(open_site.cast, open_site.cast.rita).assignment.id, uuid4()):
        answer = rita.post(
            f"/readings/{target}/unaided", content=content, headers={"Content-Type": kind}
        )
        assert 400 <= answer.status_code < 500


def test_i5_an_import_without_its_files_says_what_is_missing(open_site: Site) -> None:
    answer = open_site.browser(open_site.cast.cora).post("/studies/bcc-sk/import")
    assert answer.status_code == 422
    assert "cases, images" in answer.text
