"""For those who run the server: log lines, readiness and counts, which tell nothing of a study."""

import io
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.actions.check_readiness import KEPT, ReadinessCheck, check_readiness
from app.db.predictions import register_model
from app.db.session import Role
from app.domain.errors import Conflict
from app.domain.reading import ReadingState
from app.logs import JsonFormatter, PlainFormatter, start_logging
from app.settings import BadSettingError, Settings
from app.storage import Storage
from tests.conftest import PASSWORD, Cast
from tests.reading.steps import bring_to, superuser
from tests.web.site import Clock, Site

TOKEN = "t" * 43
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def watched(cast: Cast) -> Site:
    return Site(cast, REREAD_METRICS_TOKEN=TOKEN)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the process writes as JSON, down to INFO."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the tests' own browser
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def beat(cast: Cast, *, seconds_ago: int = 0) -> None:
    """Let a worker have given a sign of life."""
    with superuser(cast) as owner:
        owner.execute(
            """INSERT INTO jobs.procrastinate_workers (last_heartbeat)
               VALUES (clock_timestamp() - make_interval(secs => %s))""",
            [seconds_ago],
        )


# ---------------------------------------------------------------- the log


def test_a_request_is_one_json_line_with_its_own_number(site: Site, lines: io.StringIO) -> None:
    browser = site.browser(site.cast.cora)
    browser.get("/studies/bcc-sk", headers={"X-Request-Id": "chosen-by-the-client"})
    browser.get("/studies/bcc-sk")
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    ours = [line for line in said if line["logger"] == "reread.request"]
    assert [(line["route"], line["status"]) for line in ours] == [("/studies/{code}", 200)] * 2
    assert len({line["request"] for line in ours}) == 2
    assert "chosen" not in lines.getvalue()


def test_p8_neither_form_of_the_log_holds_what_was_typed_or_asked_for(
    site: Site, lines: io.StringIO
) -> None:
    browser = site.browser()
    browser.post("/sign-in", data={"email": "rita@example.org", "password": PASSWORD + "x"})
    browser.get("/invitations/canary-token-of-an-invitation")
    browser.get("/nothing/canary-address?canary=query")
    assert "/invitations/{token}" in lines.getvalue()
    for token in ("canary", "rita@", PASSWORD):
        assert token not in lines.getvalue()


def fail(message: str, cause: Exception | None = None) -> None:
    raise ValueError(message) from cause


def failing(message: str) -> logging.LogRecord:
    try:
        fail(message, Conflict(message))
    except ValueError as fault:
        caught = (type(fault), fault, fault.__traceback__)
    return logging.LogRecord("reread", logging.ERROR, "", 0, "%s failed", ("GET",), caught)


@pytest.mark.parametrize("form", [JsonFormatter(), PlainFormatter()])
def test_b11_of_an_exception_the_log_holds_kind_and_place_and_no_message(
    form: logging.Formatter,
) -> None:
    said = form.format(failing("BCC canary 0.7317"))
    assert "canary" not in said
    assert "ValueError" in said
    assert "Conflict" in said, "what it came from"
    assert "test_watching.py" in said


def test_b11_handlers_do_not_hand_each_other_an_exceptions_text() -> None:
    """Logging keeps the first handler's text on the record, for the others to use."""
    record = failing("BCC canary 0.7317")
    assert "canary" in logging.Formatter().format(record)
    assert "canary" not in PlainFormatter().format(record)
    assert "canary" in logging.Formatter().format(record), "as a handler of somebody else wrote it"


def test_a_page_for_an_error_names_the_number_of_its_line(
    site: Site, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_study(*_given: object, **_named: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr("app.web.routes.studies.design_study.find_study", find_study)
    answer = site.browser(site.cast.cora).get("/studies/bcc-sk")
    assert answer.status_code == 500
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    (number,) = {line["request"] for line in said if line["level"] == "error"}
    assert number in answer.text
    assert "canary" not in answer.text + lines.getvalue()


def test_one_setting_chooses_the_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert Settings.from_environment({"REREAD_LOG": "json"}).log_form == "json"
    with pytest.raises(BadSettingError, match="text or json"):
        Settings.from_environment({"REREAD_LOG": "xml"})
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        start_logging("json", level=logging.INFO)
        logging.getLogger("reread").info("a line")
        logging.getLogger("procrastinate.jobs").info("a job's arguments")
    finally:
        root.handlers[:], root.level = before, level
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "a line"


def test_b11_postgres_logs_no_values_of_a_row_it_refuses(cast: Cast) -> None:
    """Of every role that can hold AI output or truth in a row: the values would be in DETAIL."""
    for role in Role:
        with cast.begin(role, cast.cora) as connection:
            assert connection.execute("SHOW log_error_verbosity").fetchone() == ("terse",), role


BAD_PREDICTION = """INSERT INTO prediction
        (study_id, image_id, model_version_id, probability, overlay_key, overlay_sha256, device)
    SELECT i.study_id, i.id, m.id, %s, 'key', repeat('0', 64), 'none'
    FROM image i, model_version m LIMIT 1"""


def test_b11_a_refused_prediction_leaves_no_number_in_the_log_of_postgres(draft: Cast) -> None:
    """The superuser's own statement does, so it is the right file that is looked into."""
    with draft.begin(Role.WORKER, None) as connection:
        register_model(
            connection,
            name="made up for a test",
            backbone="none",
            weights_sha256="0" * 64,
            preprocessing="none",
            threshold=0.5,
            map_scale=1.0,
            map_grid=(14, 14),
            demonstration=True,
            card="No model.",
        )
    with superuser(draft) as owner:
        log = Path(owner.execute("SHOW data_directory").fetchone()[0]) / "log"
    with pytest.raises(psycopg.errors.CheckViolation), draft.begin(Role.WORKER, None) as worker:
        worker.execute(BAD_PREDICTION, [73.17091])
    said = log.read_text()
    assert "prediction_probability_check" in said
    assert "73.17091" not in said
    with pytest.raises(psycopg.errors.CheckViolation), superuser(draft) as owner:
        owner.execute(BAD_PREDICTION, [73.17092])
    assert "73.17092" in log.read_text()


# ---------------------------------------------------------------- readiness


def test_health_asks_nothing_and_ready_asks_everything(watched: Site) -> None:
    cast, browser = watched.cast, watched.browser()
    assert (browser.get("/ready").status_code, browser.get("/ready").text) == (503, "not ready")
    beat(cast)
    watched.clock.advance(seconds=KEPT.total_seconds())
    assert (browser.get("/ready").status_code, browser.get("/ready").text) == (200, "ready")
    said = browser.get("/ready", headers=OPERATOR).json()
    assert said == {
        "ready": True,
        "parts": dict.fromkeys(["database", "migrations", "guards", "worker", "storage"], "ok"),
    }
    cast.database.close()
    assert browser.get("/health").text == "ok"


@pytest.mark.parametrize(
    ("harm", "part", "said"),
    [
        ("ALTER TABLE reading DISABLE TRIGGER no_change", "guards", "reading.no_change"),
        ("ALTER TABLE reveal ENABLE TRIGGER guard", "guards", "reveal.guard"),
        ("DROP TRIGGER audit ON served", "guards", "served.audit"),
        ("UPDATE alembic_version SET version_num = '0001'", "migrations", "reread migrate"),
        (
            "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '5 minutes'",
            "worker",
            "seconds old",
        ),
    ],
)
def test_l8_what_is_wrong_makes_it_not_ready_and_only_the_operator_is_told(
    watched: Site, harm: str, part: str, said: str
) -> None:
    beat(watched.cast)
    with superuser(watched.cast) as owner:
        owner.execute(harm)
    browser = watched.browser()
    told = browser.get("/ready", headers=OPERATOR)
    assert told.status_code == 503
    assert said in told.json()["parts"][part]
    assert [name for name, problem in told.json()["parts"].items() if problem != "ok"] == [part]
    assert browser.get("/ready").text == "not ready"
    wrong = {"Authorization": "Bearer " + "u" * 43}
    assert browser.get("/ready", headers=wrong).text == "not ready"


def test_a10_however_often_anybody_asks_it_is_checked_once_in_five_seconds(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check writes a file and asks the database; /ready is open to everybody."""
    beat(cast)
    site = Site(cast, REREAD_METRICS_TOKEN=TOKEN)
    written: list[bytes] = []
    put = Storage.put

    def counted(storage: Storage, data: bytes, *, suffix: str) -> str:
        written.append(data)
        return put(storage, data, suffix=suffix)

    monkeypatch.setattr(Storage, "put", counted)
    browser = site.browser()
    for _ in range(20):
        assert browser.get("/ready").status_code == 200
        assert browser.get("/metrics", headers=OPERATOR).status_code == 200
    assert len(written) == 1
    with superuser(cast) as owner:
        owner.execute("ALTER TABLE reading DISABLE TRIGGER no_change")
    site.clock.advance(seconds=KEPT.total_seconds() - 0.1)
    assert browser.get("/ready").status_code == 200
    site.clock.advance(seconds=0.1)
    assert browser.get("/ready").status_code == 503
    assert len(written) == 2


def test_a10_while_one_check_runs_others_are_told_what_was_found_before(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    check = ReadinessCheck(cast.database, cast.storage, clock)
    before = check.report()
    clock.advance(seconds=KEPT.total_seconds())
    running, go_on = Event(), Event()
    put = Storage.put

    def slow(storage: Storage, data: bytes, *, suffix: str) -> str:
        running.set()
        assert go_on.wait(600)
        return put(storage, data, suffix=suffix)

    monkeypatch.setattr(Storage, "put", slow)
    with ThreadPoolExecutor(1) as pool:
        newer = pool.submit(check.report)
        assert running.wait(600)
        assert check.report() is before
        go_on.set()
        assert newer.result() is not before
    assert check.report() is newer.result()


def test_a_storage_that_cannot_be_written_is_not_ready(cast: Cast, tmp_path: Path) -> None:
    beat(cast)
    (tmp_path / "files").write_text("a file where the folder should be")
    report = check_readiness(cast.database, Storage(tmp_path / "files"))
    assert [part.name for part in report.parts if part.problem] == ["storage"]


def test_without_its_database_it_is_not_ready(watched: Site) -> None:
    url = psycopg.conninfo.make_conninfo(watched.cast.database.url, dbname="not_there")
    database = type(watched.cast.database)(url, secret=None, connections=1)
    report = check_readiness(database, watched.cast.storage)
    database.close()
    assert not report.ready
    assert next(part.problem for part in report.parts if part.name == "database")


# ---------------------------------------------------------------- counts


def counts(site: Site) -> dict[tuple[str, str], float]:
    text = site.browser().get("/metrics", headers=OPERATOR).text
    return {
        (sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_the_pattern_of_their_route(watched: Site) -> None:
    cast = watched.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    reader = watched.browser(cast.rita)
    reader.get(f"/readings/{assignment}/images/1")
    reader.get("/nothing-there")
    found = counts(watched)
    image = "method=GET,route=/readings/{assignment}/images/{position},status=200"
    assert found["reread_requests_total", image] == 1
    assert found["reread_requests_total", "method=GET,route=none,status=404"] == 1
    assert found["reread_worker_heartbeat_seconds", ""] == -1
    assert found["reread_ready", ""] == 0
    beat(cast, seconds_ago=7)
    watched.clock.advance(seconds=KEPT.total_seconds())
    found = counts(watched)
    assert 7 <= found["reread_worker_heartbeat_seconds", ""] < 60
    assert found["reread_ready", ""] == 1


def test_b8_no_count_names_a_study_a_person_a_case_or_a_call(watched: Site) -> None:
    cast = watched.cast
    bring_to(cast, cast.rita, ReadingState.FINISHED)
    watched.browser(cast.rita).get("/studies/bcc-sk/read")
    text = watched.browser().get("/metrics", headers=OPERATOR).text
    assert {label for name, label in counts(watched) if "bcc-sk" in label} == set()
    for token in ("bcc-sk", "BCC", "SK", "rita", "Rita", str(cast.rita.id), "confidence"):
        assert token not in text


def test_a2_metrics_open_to_the_operators_token_alone(watched: Site, site: Site) -> None:
    for account in (None, watched.cast.rita, watched.cast.cora):
        assert watched.browser(account).get("/metrics").status_code == 403
    assert watched.browser().get("/metrics", headers=OPERATOR).status_code == 200
    assert site.browser().get("/metrics", headers=OPERATOR).status_code == 404


def test_s6_a_short_token_or_secret_is_refused() -> None:
    for name in ("REREAD_METRICS_TOKEN", "REREAD_SECRET"):
        assert Settings.from_environment({name: "s" * 32})
        for short in ("s", "s" * 31):
            with pytest.raises(BadSettingError, match=f"{name} has {len(short)} characters"):
                Settings.from_environment({name: short})
    with pytest.raises(BadSettingError, match="REREAD_SECRET must be set"):
        Settings.from_environment({"DATABASE_URL": "postgresql://db.example.org/reread"})
