"""The whole way in the browser: a new study, its cases, two readers, unblinding, results, export.

Once with generated images and once with real photographs, where a folder of them is given.
"""

import csv
import io
import json
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Download, expect

from app.__main__ import main
from app.db.session import Database
from app.domain.access import AccountRole
from app.storage import Storage
from app.worker import Scorer, load_scorer, run_worker
from tests.browser.conftest import Person, Site, serving
from tests.browser.test_reading_room import answer, see_image, see_opinion
from tests.conftest import PASSWORD, make_account

CASES = 10
DEMO = Path(__file__).resolve().parents[2] / "demo"


def pack_of(folder: Path, count: int) -> tuple[bytes, bytes]:
    """The first cases of each diagnosis in a folder's cases.csv, and a ZIP of all their images."""
    with (folder / "cases.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    chosen: list[dict[str, str]] = []
    for diagnosis in ("BCC", "SK"):
        of_it = [row for row in rows if row["diagnosis"] == diagnosis]
        cases = list(dict.fromkeys(row["case_id"] for row in of_it))[: count // 2]
        chosen += [row for row in of_it if row["case_id"] in cases]
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(chosen)
    images = io.BytesIO()
    with zipfile.ZipFile(images, "w") as archive:
        for row in chosen:
            archive.write(folder / "images" / row["image"], row["image"])
    return table.getvalue().encode(), images.getvalue()


@pytest.fixture
def empty_site(database: Database, storage: Storage, browser: Browser):
    make_account(database, "cora@example.org", AccountRole.COORDINATOR)
    with serving(database, storage, browser) as running:
        yield running


def upload(cora: Person, table: bytes, images: bytes) -> None:
    cora.page.set_input_files(
        "[name=cases]", {"name": "cases.csv", "mimeType": "text/csv", "buffer": table}
    )
    cora.page.set_input_files(
        "[name=images]", {"name": "images.zip", "mimeType": "application/zip", "buffer": images}
    )


def score_everything(database: Database, scorer: Scorer) -> None:
    """Run the worker beside the browser's own event loop, until no image is left."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(
            run_worker, database, scorer, until_idle=True, progress=lambda _stored: None
        ).result()


def invite(cora: Person, email: str) -> str:
    cora.goto("/studies/bcc-2027/readers")
    cora.page.fill("[name=email]", email)
    cora.page.get_by_role("button", name="Make a link").click()
    return cora.page.input_value("#invitation-link")


def write_consent(cora: Person) -> None:
    cora.goto("/studies/bcc-2027/consent")
    cora.page.get_by_label("Consent text").fill("You take part of your **own will**.")
    cora.page.get_by_role("button", name="Save as version 1").click()
    expect(cora.page.get_by_text("Version 1, as readers see it")).to_be_visible()


def join(reader: Person, link: str, email: str) -> None:
    reader.page.goto(link)
    reader.page.fill("[name=name]", email.split("@", maxsplit=1)[0].title())
    reader.page.fill("[name=password]", PASSWORD)
    reader.page.get_by_role("button", name="Join the study").click()
    reader.page.wait_for_url("**/sign-in?next=/studies/bcc-2027/start&done=joined")
    reader.page.fill("[name=email]", email)
    reader.page.fill("[name=password]", PASSWORD)
    reader.page.get_by_role("button", name="Sign in").click()
    reader.page.get_by_label("Years of experience").fill("7")
    reader.page.get_by_label("Specialty").select_option("dermatology")
    reader.page.get_by_label("Training").select_option("specialist")
    reader.page.get_by_label("I have read this text").check()
    reader.page.get_by_role("button", name="Save and go on").click()
    reader.page.wait_for_url(re.compile(r"/(studies/bcc-2027/read)?$"))


def read_everything(reader: Person, *, cases: int, calls: str) -> None:
    reader.goto("/studies/bcc-2027/read")
    reader.page.get_by_role("button", name=re.compile("Start")).click()
    for number in range(cases):
        expect(reader.page.get_by_text(f"Case {number + 1} of {cases}")).to_be_visible()
        see_image(reader)
        answer(reader, calls[number % len(calls)] + str(1 + number % 9) + "!")
        see_opinion(reader)
        answer(reader, calls[(number + 1) % len(calls)] + str(9 - number % 9) + "!")
    expect(reader.page.get_by_text(re.compile("Thank you|thank you"))).to_be_visible()


def downloaded(cora: Person, path: str, folder: Path, name: str) -> Path:
    with cora.page.expect_download() as waiting:
        cora.page.evaluate(f"location.assign('{path}')")
    download: Download = waiting.value
    target = folder / name
    download.save_as(target)
    return target


def make_study(cora: Person, table: bytes, pack: bytes) -> None:
    """A new study; a file with two mistakes is refused whole, by row and column; then imported."""
    cora.sign_in("cora@example.org")
    cora.goto("/studies/new")
    cora.page.fill("[name=title]", "BCC or SK, 2027")
    cora.page.fill("[name=code]", "bcc-2027")
    cora.page.get_by_role("button", name="Make the study").click()
    cora.goto("/studies/bcc-2027/import")
    upload(cora, table.replace(b",BCC,", b",MEL,", 1).replace(b".jpg,", b".jpeg,", 1), pack)
    cora.page.get_by_role("button", name="Dry run").click()
    expect(cora.page.get_by_text("Nothing was imported")).to_be_visible()
    expect(cora.page.get_by_role("cell", name="diagnosis", exact=True).first).to_be_visible()
    upload(cora, table, pack)
    cora.page.get_by_label("I have looked at every picture").check()
    cora.page.get_by_role("button", name="Import", exact=True).click()
    expect(cora.page.get_by_text(f"{CASES} cases").first).to_be_visible()


def confirm(cora: Person, button: str) -> None:
    """Tick the box beside an act that cannot be undone, then press its button."""
    form = cora.page.locator("form", has=cora.page.get_by_role("button", name=button))
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name=button).click()


def unblind(cora: Person) -> str:
    """Close, fail to unblind without the password, unblind; returns what the results page says."""
    cora.goto("/studies/bcc-2027/results")
    expect(cora.page.get_by_text("only after unblinding")).to_be_visible()
    cora.goto("/studies/bcc-2027")
    confirm(cora, "Close the study")
    cora.goto("/studies/bcc-2027/unblind")
    cora.page.fill("[name=reason]", "Every reader has finished.")
    cora.page.get_by_label("I unblind this study").check()
    cora.page.fill("[name=password]", "not the password")
    cora.page.get_by_role("button", name="Unblind the study").click()
    expect(cora.page.locator("#password-wrong")).to_contain_text("Nothing was unblinded")
    cora.page.get_by_label("I unblind this study").check()
    cora.page.fill("[name=password]", PASSWORD)
    cora.page.get_by_role("button", name="Unblind the study").click()
    cora.page.wait_for_url("**/results")
    expect(cora.page.locator("img[src*='roc']").first).to_be_visible()
    return cora.page.inner_text("main")


@pytest.mark.browser
@pytest.mark.parametrize(
    "images", ["generated", pytest.param("photographs", marks=pytest.mark.photographs)]
)
def test_the_whole_way(
    empty_site: Site,
    database: Database,
    storage: Storage,
    tmp_path: Path,
    images: str,
    request: pytest.FixtureRequest,
) -> None:
    folder = DEMO if images == "generated" else request.getfixturevalue("photographs")
    table, pack = pack_of(folder, CASES)
    with empty_site.person() as cora, empty_site.person() as rita, empty_site.person() as rolf:
        make_study(cora, table, pack)
        scorer = load_scorer(database, storage, None)
        cora.goto("/studies/bcc-2027")
        cora.page.locator("form[action$='/score'] button").click()
        score_everything(database, scorer)
        expect(cora.page.get_by_text(re.compile(r"(\d+) of \1 images")).first).to_be_visible()

        write_consent(cora)
        links = {e: invite(cora, e) for e in ("rita@example.org", "rolf@example.org")}
        join(rita, links["rita@example.org"], "rita@example.org")
        cora.goto("/studies/bcc-2027")
        confirm(cora, "Open the study")
        expect(cora.page.get_by_text("Opened")).to_be_visible()
        join(rolf, links["rolf@example.org"], "rolf@example.org")  # joins a study under way

        read_everything(rita, cases=CASES, calls="bsb")
        read_everything(rolf, cases=CASES, calls="bbs")

        shown = unblind(cora)
        readings = downloaded(
            cora, "/studies/bcc-2027/export/readings.csv", tmp_path, "readings.csv"
        )
        page_json = downloaded(
            cora, "/studies/bcc-2027/results/analysis.json", tmp_path, "page.json"
        )
        whole = downloaded(cora, "/studies/bcc-2027/export/export.zip", tmp_path, "whole.zip")
    with zipfile.ZipFile(whole) as archive:
        cases = next(name for name in archive.namelist() if name.endswith("/cases.csv"))
        (tmp_path / "cases.csv").write_bytes(archive.read(cases))
    files = ["--cases", str(tmp_path / "cases.csv"), "--json", str(tmp_path / "file.json")]
    assert main(["analyse", str(readings), *files]) == 0
    from_file = json.loads((tmp_path / "file.json").read_text())
    assert from_file == json.loads(page_json.read_text())
    assert from_file["data"]["readers"] == 2
    assert from_file["data"]["cases"] == CASES
    assert from_file["data"]["sha256"] in shown
    for reader in from_file["readers"]:
        for modality in ("unaided", "aided"):
            assert f"{reader['modalities'][modality]['auc']['value']:.3f}" in shown
    with readings.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0])[:6] == ["reader_id", "case_id", "truth", "modality", "call", "score"]
    assert len(rows) == 2 * 2 * CASES
    assert all(row["simulated"] == "no" for row in rows)
