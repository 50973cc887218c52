"""Nothing of the AI and nothing of the truth leaves the server before the unaided lock (B1-B5).

Canaries: every piece of AI output and truth of this study is a token that occurs nowhere else.
Rita's browser asks every address there is, in every state of her case; no answer may hold one.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import numpy as np
import pytest
from httpx2 import Response
from psycopg.conninfo import conninfo_to_dict
from starlette.testclient import TestClient

from app.actions.design_study import create_study, find_study, open_study
from app.actions.draw_orders import enrol_reader
from app.db.predictions import insert_case_predictions, insert_prediction, register_model
from app.db.session import Database, Role
from app.db.studies import choose_model
from app.domain.access import AccountRole
from app.domain.allocation import ALGORITHM, Plan, allocate
from app.domain.reading import ReadingState
from app.storage import Storage
from app.web.access import routes_of
from app.web.rendering import STATIC
from tests.conftest import Cast, copy_of, import_files, make_account, picture
from tests.reading.steps import at, bring_to, finish, superuser
from tests.web.site import Places, Site

CASES = 4
MODEL = "canarymodel"
# Tokens that no reader ever sees, in whatever state.
NEVER = [
    *("canarybackbone", "canarypreprocessing", "canarycard", "canarydevice", "canarysource"),
    *("canarypatient", "canarylesion", "canarycase", "canaryfile", "ca" * 32, "0.4321"),
]


def probability(number: int) -> float:
    """Of case number 0, 1, ...: no two alike, and none like anything else on a page."""
    return 0.7317 + 0.0411 * number


def overlay(number: int) -> bytes:
    return b"canaryoverlay%d." % number


@dataclass
class Canaries:
    """The study's tokens: of everything, and by the case's id what its reveal may show."""

    never: list[str]
    of_case: dict[UUID, list[str]]

    @property
    def all(self) -> list[str]:
        return [
            *self.never,
            MODEL,
            *(token for tokens in self.of_case.values() for token in tokens),
        ]

    def in_(self, answers: "list[Response]") -> set[str]:
        """The tokens that these answers hold: in their bodies, headers, cookies, addresses."""
        seen = b"\n".join(
            b"%s %s %s"
            % (str(answer.headers.raw).encode(), answer.content, str(answer.url).encode())
            for answer in answers
        ).lower()
        return {token for token in self.all if token.lower().encode() in seen}


def case_table() -> tuple[bytes, bytes]:
    table, pack = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    writer.writerow(
        "case_id image diagnosis diagnosis_confirm patient_id lesion_id synthetic".split()  # noqa: SIM905
    )
    with zipfile.ZipFile(pack, "w") as archive:
        for number in range(CASES):
            name = f"canaryfile{number}.jpg"
            writer.writerow(
                [f"canarycase{number}", name, "BCC" if number % 2 else "SK", "canarysource",
                 f"canarypatient{number}", f"canarylesion{number}", "no"]
            )  # fmt: skip
            archive.writestr(name, picture(1000 + number))
    return table.getvalue().encode(), pack.getvalue()


def predict(cast: Cast) -> None:
    with cast.begin(Role.WORKER, None) as connection:
        version = register_model(
            connection,
            name=MODEL,
            backbone="canarybackbone",
            weights_sha256="ca" * 32,
            preprocessing="canarypreprocessing",
            threshold=0.4321,
            map_scale=1.0,
            map_grid=(14, 14),
            demonstration=False,
            card="canarycard",
        )
        images = connection.execute("SELECT id, case_id FROM image ORDER BY case_id").fetchall()
        for number, (image, _case) in enumerate(images):
            insert_prediction(
                connection,
                study=cast.study.id,
                image=image,
                model_version=version,
                probability=probability(number),
                overlay_key=cast.storage.put(overlay(number), suffix=".png"),
                overlay_sha256="ca" * 32,
                device="canarydevice",
            )
        insert_case_predictions(
            connection, cases=[case for _image, case in images], model_version=version
        )
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        choose_model(connection, cast.study.id, version)
        open_study(connection, study=cast.reload(), by=cast.cora)


@pytest.fixture(scope="module")
def canary_template(postgres: str, storage: Storage) -> Iterator[tuple[str, Cast]]:
    """A database, to be copied by tests, with a study in which AI output and truth are tokens."""
    with copy_of(postgres, "reread") as url:
        database = Database(url, secret=None)
        people = {
            name: make_account(database, f"{name}@example.org", role)
            for name, role in (
                ("cora", AccountRole.COORDINATOR),
                ("rita", AccountRole.READER),
                ("rolf", AccountRole.READER),
            )
        }
        with database.begin(Role.COORDINATOR, actor=people["cora"].id) as connection:
            create_study(connection, code="bcc-sk", title="Two lesions", seed=1, by=people["cora"])
            study = find_study(connection, code="bcc-sk")
            for name in ("rita", "rolf"):
                enrol_reader(connection, study=study.id, reader=people[name].id)
        import_files(database, storage, study, case_table(), by=people["cora"])
        cast = Cast(database, storage, olga=people["cora"], study=study, **people)
        predict(cast)
        database.close()
        yield conninfo_to_dict(url)["dbname"], cast


@pytest.fixture
def canary_site(postgres: str, canary_template: tuple[str, Cast]) -> Iterator[Site]:
    """The web application over a copy of that study."""
    name, made = canary_template
    with copy_of(postgres, name) as url:
        database = Database(url, secret=None)
        yield Site(replace(made, database=database))
        database.close()


@pytest.fixture
def canaries(canary_site: Site) -> Canaries:
    with superuser(canary_site.cast) as owner:
        stored = owner.execute(
            "SELECT storage_key, sha256 FROM image UNION SELECT overlay_key, '-' FROM prediction"
        ).fetchall()
        cases = owner.execute(
            """SELECT c.case_id, c.probability, c.id, p.id, p.overlay_key FROM case_prediction c
               JOIN image i USING (case_id) JOIN prediction p ON p.image_id = i.id
               ORDER BY c.case_id"""
        ).fetchall()
    keys = [part for row in stored for part in row if part != "-"]
    ids = [str(value) for row in cases for value in row[2:4]]
    exact = [f"{row[1]:.4f}" for row in cases]
    return Canaries(
        never=[*NEVER, *keys, *[key.split("/")[-1].split(".")[0] for key in keys], *ids, *exact],
        of_case={
            row[0]: [f"{row[1]:.2f}", overlay(number).decode()] for number, row in enumerate(cases)
        },
    )


# ---------------------------------------------------------------- the crawl

LINK = re.compile(r"""(?:href|src|action|hx-post|hx-get|data-[a-z-]+)=["']([^"']+)["']""")


@dataclass
class Crawl:
    """Every answer that a browser can get in the state things are in, without moving them on."""

    site: Site
    browser: TestClient
    assignments: list[UUID]
    answers: list[Response] = field(default_factory=list)

    def run(self) -> list[Response]:
        for path in self.addresses():
            self.follow(path)
        self.refused()
        return [answer for answer in self.answers if not self.is_file(answer)]

    def is_file(self, answer: Response) -> bool:
        """Say whether it is a file as it lies in static/, the same for everybody."""
        path = answer.url.path.removeprefix("/static/")
        if path == answer.url.path or answer.status_code != 200:
            return False
        return answer.content == (STATIC / path).read_bytes()

    def addresses(self) -> set[str]:
        cast = self.site.cast
        with superuser(cast) as owner:
            cases = [row[0] for row in owner.execute("SELECT id FROM study_case")]
        found = {"/", "/static/nothing.css", "/openapi.json", "/docs", "/favicon.ico"}
        values = {
            "code": "bcc-sk",
            "case": cases[0],
            "reader": "R01",
            "form": "svg",
            "name": "readings.csv",
            "model": cast.reload().model_version_id,
        }
        for route in routes_of(self.site.app):
            varied = "{assignment}" in route.path or "{position}" in route.path
            for assignment in (*self.assignments, uuid4()) if varied else (None,):
                for position in (1, 2) if varied else (None,):
                    if "GET" in route.methods:
                        place = {"assignment": assignment, "position": position}
                        found.add(route.path.format_map(Places(values, **place)))
        return found

    def follow(self, path: str) -> None:
        """Ask for the address and for all that its page names, each once."""
        waiting, seen = [path], {str(answer.url.path) for answer in self.answers}
        while waiting:
            here = waiting.pop().split("#")[0].split("?")[0]
            if not here.startswith("/") or here in seen:
                continue
            seen.add(here)
            answer = self.browser.get(here)
            self.answers.append(answer)
            if answer.headers.get("content-type", "").startswith("text/html"):
                waiting += LINK.findall(answer.text)
            waiting += [answer.headers[name] for name in ("location",) if name in answer.headers]

    def refused(self) -> None:
        """What is refused speaks too: damaged forms, other methods, forms of other sites."""
        for assignment in self.assignments[:2]:
            for step in ("unaided", "aided"):
                address = f"/readings/{assignment}/{step}"
                self.answers += [
                    self.browser.post(address, data={}),
                    self.browser.post(address, data={"call": "BCC", "confidence": "NaN"}),
                    self.browser.post(address, headers={"Sec-Fetch-Site": "cross-site"}),
                    self.browser.get(address),
                    self.browser.delete(f"/readings/{assignment}/overlays/1"),
                    self.browser.head(f"/readings/{assignment}/overlays/1"),
                ]
        self.answers += [
            self.browser.post("/sign-in", data={"email": "rita@example.org", "password": "no"}),
            self.browser.post("/studies/bcc-sk/unblind", data={"password": "no", "reason": "no"}),
            self.browser.post("/studies/bcc-sk/open"),
        ]


def crawl(site: Site, name: str, **headers: str) -> list[Response]:
    """All that a reader can get, with the addresses of every assignment, theirs or not."""
    cast = site.cast
    with superuser(cast) as owner:
        assignments = [
            row[0]
            for row in owner.execute("SELECT id FROM assignment ORDER BY reader_id, position")
        ]
    assert len(assignments) == 2 * CASES
    own = at(cast, getattr(cast, name))  # its forms are tried, and another's
    if own:
        assignments.sort(key=lambda assignment: assignment != own.assignment.id)
    with site.browser(getattr(cast, name), **headers) as browser:
        answers = Crawl(site, browser, assignments).run()
    assert len(answers) >= 80
    assert {answer.status_code for answer in answers} >= {200, 403, 404, 405}
    assert all(answer.status_code < 500 or answer.url.path == "/ready" for answer in answers)
    return answers


BEFORE = [ReadingState.ASSIGNED, ReadingState.SERVED, ReadingState.LOCKED]


@pytest.mark.parametrize("state", BEFORE)
def test_b1_before_the_reveal_no_answer_holds_any_of_it(
    canary_site: Site, canaries: Canaries, state: ReadingState
) -> None:
    bring_to(canary_site.cast, canary_site.cast.rita, state)
    answers = crawl(canary_site, "rita")
    assert canaries.in_(answers) == set()
    assert at(canary_site.cast, canary_site.cast.rita).state is state, "the crawl moved nothing"


# As programs and scripts ask: for a piece, for data, for what has changed, in another language.
OTHERWISE = {
    "HX-Request": "true",
    "Accept": "application/json",
    "Accept-Language": "zh-CN",
    "Range": "bytes=0-99",
    "If-None-Match": "*",
    "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT",
    "Purpose": "prefetch",
    "X-HTTP-Method-Override": "POST",
}


def test_b1_nor_does_one_that_is_asked_for_otherwise(canary_site: Site, canaries: Canaries) -> None:
    bring_to(canary_site.cast, canary_site.cast.rita, ReadingState.LOCKED)
    answers = crawl(canary_site, "rita", **OTHERWISE)
    assert canaries.in_(answers) == set()
    assert not any("etag" in answer.headers for answer in answers if answer.status_code == 200)
    assert at(canary_site.cast, canary_site.cast.rita).state is ReadingState.LOCKED


def test_b1_asking_for_the_reveal_too_early_gives_nothing_either(
    canary_site: Site, canaries: Canaries
) -> None:
    cast = canary_site.cast
    browser = canary_site.browser(cast.rita)
    for state in (ReadingState.ASSIGNED, ReadingState.SERVED):
        assignment = bring_to(cast, cast.rita, state)
        answer = browser.post(f"/readings/{assignment}/reveal")
        assert answer.status_code == 409
        assert canaries.in_([answer]) == set()
        assert at(cast, cast.rita).state is state


def test_b1_the_answer_to_the_lock_itself_holds_none_of_it(
    canary_site: Site, canaries: Canaries
) -> None:
    cast = canary_site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    browser = canary_site.browser(cast.rita)
    form = {"call": "BCC", "confidence": "70", "submission_id": str(uuid4())}
    answers = [browser.post(f"/readings/{assignment}/unaided", data=form) for _ in range(2)]
    form["call"] = "SK"
    answers.append(browser.post(f"/readings/{assignment}/unaided", data=form))
    assert [answer.status_code for answer in answers] == [303, 303, 409]
    assert canaries.in_(answers) == set()


def test_b1_b7_b11_after_the_reveal_exactly_what_is_meant_to_be_seen_of_that_case_is(
    canary_site: Site, canaries: Canaries, caplog: pytest.LogCaptureFixture
) -> None:
    """And the browser is told to keep none of it, and no line of the log holds any of it."""
    caplog.set_level("INFO")
    cast = canary_site.cast
    bring_to(cast, cast.rita, ReadingState.REVEALED)
    case = at(cast, cast.rita).assignment.case_id
    answers = crawl(canary_site, "rita")
    assert canaries.in_(answers) == {MODEL, *canaries.of_case[case]}
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert "readings" in caplog.text, "there is a log to look at"
    assert [token for token in canaries.all if token.lower() in caplog.text.lower()] == []


def test_b1_when_the_next_case_is_served_nothing_of_it_shows(
    canary_site: Site, canaries: Canaries
) -> None:
    """Of the finished case the map stays; the page of the next one holds nothing at all."""
    cast = canary_site.cast
    before = bring_to(cast, cast.rita, ReadingState.ASSIGNED)
    first = at(cast, cast.rita).assignment.case_id
    finish(cast, cast.rita)
    assert at(cast, cast.rita).assignment.id != before
    answers = crawl(canary_site, "rita")
    assert canaries.in_(answers) <= set(canaries.of_case[first])
    pages = [a for a in answers if a.headers.get("content-type", "").startswith("text/html")]
    assert canaries.in_(pages) == set()


def test_b1_b8_another_reader_sees_nothing_of_what_rita_was_shown(
    canary_site: Site, canaries: Canaries
) -> None:
    cast = canary_site.cast
    finish(cast, cast.rita)
    bring_to(cast, cast.rita, ReadingState.REVEALED)
    bring_to(cast, cast.rolf, ReadingState.SERVED)
    answers = crawl(canary_site, "rolf")
    assert canaries.in_(answers) == set()
    assert "Rita" not in "".join(
        a.text for a in answers if "text" in a.headers.get("content-type", "")
    )


def test_b8_b9_p4_the_coordinator_sees_progress_and_no_output_call_or_truth(
    canary_site: Site, canaries: Canaries
) -> None:
    """Names of cases, sources and the model's card are the coordinator's own; numbers are not."""
    cast = canary_site.cast
    finish(cast, cast.rita)
    answers = crawl(canary_site, "cora")
    hidden = {token for tokens in canaries.of_case.values() for token in tokens}
    with superuser(cast) as owner:
        keys = owner.execute("SELECT overlay_key, id::text FROM prediction").fetchall()
    hidden |= {value for row in keys for value in row}
    assert canaries.in_(answers) & hidden == set()


# ---------------------------------------------------------------- same answer, opaque addresses


def whole(answer: Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return answer.status_code, answer.headers.raw, answer.content


@pytest.mark.parametrize("state", BEFORE)
def test_b5_the_map_before_its_time_is_answered_like_one_that_does_not_exist(
    canary_site: Site, state: ReadingState
) -> None:
    """To the byte, headers included; also for a case that comes later."""
    cast = canary_site.cast
    assignment = bring_to(cast, cast.rita, state)
    with cast.begin(Role.READER, cast.rita) as connection:
        later = connection.execute("SELECT id FROM assignment WHERE position = 3").fetchone()[0]
    browser = canary_site.browser(cast.rita)
    for position in (1, 2, 99):
        own, coming, absent = (
            whole(browser.get(f"/readings/{target}/overlays/{position}"))
            for target in (assignment, later, uuid4())
        )
        assert own[0] == 404
        assert own == coming == absent


def test_b3_an_images_address_and_headers_tell_nothing_of_it(canary_site: Site) -> None:
    cast = canary_site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    browser = canary_site.browser(cast.rita)
    page = browser.get("/studies/bcc-sk/read").text
    addresses = {link for link in LINK.findall(page) if "/images/" in link}
    assert addresses == {f"/readings/{assignment}/images/1"}
    assert assignment.version == 4, "drawn at random"
    image = browser.get(addresses.pop())
    assert image.status_code == 200
    assert image.content.startswith(b"\xff\xd8")
    told = set(image.headers) - {"content-security-policy", "permissions-policy"}
    assert told == {
        "content-length", "content-type", "cache-control", "referrer-policy",
        "x-content-type-options", "cross-origin-opener-policy", "cross-origin-resource-policy",
    }  # fmt: skip


def test_b3_two_readers_have_different_addresses_for_the_same_image(canary_site: Site) -> None:
    cast = canary_site.cast
    with superuser(cast) as owner:
        found = owner.execute(
            "SELECT case_id, count(*), count(DISTINCT id) FROM assignment GROUP BY case_id"
        ).fetchall()
    assert [row[1:] for row in found] == [(2, 2)] * CASES


def test_b6_no_page_asks_for_anything_before_it_is_needed(canary_site: Site) -> None:
    cast = canary_site.cast
    for state in BEFORE:
        bring_to(cast, cast.rita, state)
        page = canary_site.browser(cast.rita).get("/studies/bcc-sk/read").text.lower()
        for word in ("prefetch", "preload", "prerender", "speculationrules", "overlays/"):
            assert word not in page, (state, word)


# ---------------------------------------------------------------- the order

SEEDS = 1000


def beyond_chance(
    marked: np.ndarray, places: np.ndarray, chance: np.random.Generator, draws: int = 2000
) -> float:
    """Two-sided p of the sum, over all seeds, of the places of the marked cases.

    Against random markings of as many cases. `places` (seeds, cases).
    """
    of_case = places.sum(axis=0)  # (cases,)
    null = np.array([of_case[chance.permutation(marked)].sum() for _ in range(draws)])
    middle = of_case.mean() * marked.sum()
    return float(np.mean(np.abs(null - middle) >= abs(of_case[marked].sum() - middle)))


def order_of(cases: list[UUID], *, seed: int, reader: UUID) -> list[UUID]:
    counted = frozenset(cases)
    plan = Plan(ALGORITHM, seed, "sequential", 0, 0, training=frozenset(), counted=counted)
    return [entry.case for entry in allocate(plan, reader=reader, number=1)]


def test_b4_the_order_is_independent_of_truth_ai_and_upload_over_1000_seeds() -> None:
    """Permutation test: the sum over all seeds of the places of the marked cases.

    The bound is p > 0.001 against 2,000 random markings of as many cases; and of the single seeds
    no more than 7 % may lie where chance puts 5 %.
    """
    chance = np.random.default_rng(20261120)
    reader = UUID(int=7)
    cases = [UUID(bytes=chance.bytes(16), version=4) for _ in range(60)]
    index = {case: number for number, case in enumerate(cases)}
    places = np.empty((SEEDS, len(cases)))
    for seed in range(SEEDS):
        for place, case in enumerate(order_of(cases, seed=seed, reader=reader)):
            places[seed, index[case]] = place
    markings = {
        "truth": np.arange(60) % 3 != 0,
        "first half of the upload": np.arange(60) < 30,
        "called BCC by the model": chance.random(60) < 0.5,
    }
    for name, marked in markings.items():
        assert beyond_chance(marked, places, chance) > 0.001, f"the order leans on {name}"
        sums = places[:, marked].sum(axis=1)  # (seeds,)
        spread = np.sqrt(marked.sum() * (~marked).sum() * 61 / 12)
        beyond = np.mean(np.abs(sums - marked.sum() * 59 / 2) > 1.96 * spread)
        assert beyond < 0.07, f"the order of too many seeds leans on {name}"


def test_b4_the_permutation_test_finds_an_order_that_does_lean() -> None:
    """So that the test above can fail: in one seed of ten the BCCs come six places earlier."""
    chance = np.random.default_rng(1)
    marked = np.arange(60) % 3 != 0
    places = np.array([chance.permutation(60) for _ in range(SEEDS)], dtype=float)
    assert beyond_chance(marked, places, chance) > 0.001
    places[:100, marked] -= 6
    assert beyond_chance(marked, places, chance) <= 0.001


def test_b4_the_order_does_not_depend_on_how_the_cases_are_listed() -> None:
    chance = np.random.default_rng(3)
    cases = [UUID(bytes=chance.bytes(16), version=4) for _ in range(40)]
    reader = UUID(int=9)
    orders = {
        tuple(order_of([cases[i] for i in chance.permutation(40)], seed=5, reader=reader))
        for _ in range(20)
    }
    assert len(orders) == 1


def test_d7_a_case_added_later_changes_no_place_before_it() -> None:
    chance = np.random.default_rng(4)
    cases = [UUID(bytes=chance.bytes(16), version=4) for _ in range(41)]
    before = order_of(cases[:40], seed=5, reader=UUID(int=9))
    after = order_of(cases, seed=5, reader=UUID(int=9))
    assert [case for case in after if case != cases[40]] == before
