"""The coordinator's whole way in each of the four designs, from nothing to a pack that is proven.

Everything a coordinator does is done in the browser. Simulated readers read, and Rita, who joins by
her link. What the model says is made up: the worker has its own tests and test_whole_way.py.
"""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.actions.design_study import find_study
from app.db.accounts import credentials_of
from app.db.session import Database, Role
from app.domain.access import AccountRole
from app.storage import Storage
from tests.browser.conftest import Person, Site, serving
from tests.browser.test_reading_room import answer, see_image, see_opinion
from tests.browser.test_whole_way import (
    CASES,
    DEMO,
    confirm,
    invite,
    join,
    make_study,
    pack_of,
    unblind,
    write_consent,
)
from tests.conftest import PASSWORD, Cast, make_account, score_by_hand
from tests.reading.designs import move_the_clock, read_on, simulate
from tests.reading.steps import at
from tests.web.site import Clock

SIMULATED = 4
RITA = "rita@example.org"


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(UTC))


@pytest.fixture
def empty_site(
    database: Database, storage: Storage, browser: Browser, clock: Clock
) -> Iterator[Site]:
    make_account(database, "cora@example.org", AccountRole.COORDINATOR)
    with serving(database, storage, browser, clock=clock) as running:
        yield running


def set_design(page: Page, site: Site, name: str) -> None:
    """Fill the design page as a coordinator does, with a mistake first."""
    page.goto(site.address + "/studies/bcc-2027/design")
    page.locator(f"[name=design][value={name}]").check()
    page.fill("[name=repeats]", "2")
    page.get_by_label("A comment").check()
    if name == "hidden_share":
        page.get_by_role("button", name="Save the draft").click()
        expect(page.get_by_text(re.compile("hidden share", re.IGNORECASE)).first).to_be_visible()
        page.locator(f"[name=design][value={name}]").check()
        page.fill("[name=unaided_only_percent]", "30")
    page.get_by_role("button", name="Save the draft").click()
    page.goto(site.address + "/studies/bcc-2027/design")
    expect(page.locator(f"[name=design][value={name}]")).to_be_checked()
    page.get_by_role("link", name="Preview as a reader").click()
    expect(page.get_by_role("heading").first).to_be_visible()


def people_of(database: Database, storage: Storage) -> Cast:
    """Those who are in the study by now, as the cast of the other tests."""
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        cora, rita = (
            credentials_of(connection, email).account for email in ("cora@example.org", RITA)
        )
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        study = find_study(connection, code="bcc-2027")
    return Cast(database, storage, cora, cora, rita, rita, study)


def read_first_case(rita: Person) -> None:
    """By keyboard, up to the next case; in the designs some cases have no model."""
    rita.goto("/studies/bcc-2027/read")
    rita.page.get_by_role("button", name=re.compile("Start")).click()
    see_image(rita)
    answer(rita, "b7!")
    after = rita.page.locator("[data-state=revealed], [data-state=between]")
    expect(after).to_be_visible()
    if after.get_attribute("data-state") == "revealed":
        see_opinion(rita)
        answer(rita, "s6!")
    else:
        expect(rita.page.get_by_text("For this case no AI result is shown")).to_be_visible()
        # Not by Enter: for a moment after a lock the page takes a second press for a slip.
        rita.page.get_by_role("button", name=re.compile("Show case")).click()
    expect(rita.page.locator("[data-state=served]")).to_be_visible()


def read_the_rest(cast: Cast) -> None:
    while (now := at(cast, cast.rita)) is not None and now.assignment.session == 1:
        read_on(cast, cast.rita)


def wait_for_the_washout(rita: Person, cast: Cast) -> None:
    """On day 27 the page names the day; on day 28 the second session begins."""
    for days in (27, 1):
        rita.goto("/studies/bcc-2027/read")
        expect(rita.page.get_by_text("Your second session begins on")).to_be_visible()
        move_the_clock(cast, days)
    rita.goto("/studies/bcc-2027/read")
    rita.page.locator("main button[type=submit]").first.click()
    see_image(rita)
    while at(cast, cast.rita) is not None:
        read_on(cast, cast.rita)


def open_study(cora: Person, clock: Clock) -> None:
    """An old password is asked for again; a wrong one opens nothing."""
    clock.advance(minutes=11)
    cora.goto("/studies/bcc-2027")
    for password in ("not the password", PASSWORD):
        cora.page.get_by_label("Your password, once more").fill(password)
        confirm(cora, "Open the study")
        if password != PASSWORD:
            wrong = cora.page.locator("#password-open-wrong")
            expect(wrong).to_contain_text("Nothing was done")
    expect(cora.page.get_by_text("Opened")).to_be_visible()
    cora.goto("/studies/bcc-2027/design")
    expect(cora.page.locator("[name=design]").first).to_be_disabled()


def look_at_the_monitor(cora: Person) -> None:
    """All readings are in, and the simulated are said to be so; no accuracy is there."""
    cora.goto("/studies/bcc-2027/monitor")
    page = cora.page
    expect(page.get_by_text(re.compile(r"^(\d+) of \1 readings are finished"))).to_be_visible()
    assert page.locator("table").first.get_by_text("simulated").count() == SIMULATED
    assert not re.search(r"accuracy|AUC|sensitivity", page.inner_text("main"), re.IGNORECASE)


def download_pack(cora: Person, folder: Path) -> Path:
    """One click on the results page."""
    with cora.page.expect_download() as waiting:
        cora.page.get_by_role("link", name="Everything (ZIP)").click()
    pack = folder / "PACK.zip"
    waiting.value.save_as(pack)
    return pack


def proven(pack: Path) -> str:
    """Verify the pack in a process of its own, which finds no database; what it said."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "app", "verify", str(pack)],
        env={"PATH": "", "REREAD_DATA": str(pack.parent / "nothing")},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SAID = {
    "sequential": "The study was sequential.",
    "hidden_share": "after the lock (30%)",
    "crossover": "at least 28 days apart",
    "parallel": "parallel arms",
}


@pytest.mark.browser
@pytest.mark.parametrize("name", SAID)
def test_in_each_design_a_coordinator_comes_from_nothing_to_a_proven_pack(
    empty_site: Site, database: Database, storage: Storage, clock: Clock, tmp_path: Path, name: str
) -> None:
    table, images = pack_of(DEMO, CASES)
    with empty_site.person() as cora, empty_site.person() as rita:
        make_study(cora, table, images)
        set_design(cora.page, empty_site, name)
        write_consent(cora)
        join(rita, invite(cora, RITA), RITA)
        cast = people_of(database, storage)
        score_by_hand(database, storage, cast.study)
        open_study(cora, clock)
        cast = replace(cast, study=cast.reload())

        read_first_case(rita)
        read_the_rest(cast)
        if name == "crossover":
            wait_for_the_washout(rita, cast)
        simulate(cast, SIMULATED)
        look_at_the_monitor(cora)
        shown = unblind(cora)
        assert f"5 readers ({SIMULATED} simulated)" in shown
        assert re.search(r"\b(\d+) of \1 calls were made", shown), "nothing is missing"
        pack = download_pack(cora, tmp_path)
    said = proven(pack)
    assert "every number of results.json computed again" in said
    assert said.endswith("Everything holds.\n")
    with zipfile.ZipFile(pack) as archive:
        methods = archive.read("bcc-2027/methods.md").decode()
        readings = archive.read("bcc-2027/readings.csv").decode()
    assert SAID[name] in methods
    assert f"{SIMULATED} of them are programs, not people" in methods
    assert "It is a demonstration model" in methods
    assert {line.split(",")[0] for line in readings.splitlines()[1:]} == {
        f"R0{number}" for number in range(1, 2 + SIMULATED)
    }
