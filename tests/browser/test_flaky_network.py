"""A network that fails at the worst moment, and what is left in the browser at the end."""

from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Response, expect

from app.main import build_site
from app.settings import Settings
from tests.browser.conftest import CHROMIUM, PATIENCE, QUIET, Person, Site
from tests.browser.test_reading_room import answer, readings, see_opinion, start
from tests.conftest import PASSWORD, Cast
from tests.torture.programs import free_port
from tests.web import live


def test_f14_a_call_locked_offline_is_sent_when_the_network_is_back(site: Site, cast: Cast) -> None:
    with site.person() as rita:
        page = rita.page
        start(rita)
        answer(rita, "b7")
        page.context.set_offline(True)
        expect(page.locator("[data-save-state]")).to_contain_text("Offline")
        answer(rita, "!")
        expect(page.locator("[data-unsaved]")).to_contain_text("kept on this page")
        expect(page.locator("[data-save-state]")).to_have_text("Offline: not saved yet")
        # Leaving now is asked about: the call would be lost.
        assert page.evaluate(
            """() => !dispatchEvent(new Event("beforeunload", { cancelable: true }))"""
        )
        page.context.set_offline(False)
        see_opinion(rita)
        expect(page.locator("[data-save-state]")).to_contain_text("Saved")
        rita.complaints.clear()
    assert readings(cast) == [("unaided", "BCC", 70)]


def test_f14_a_call_outlives_a_restart_of_the_server(cast: Cast, browser: Browser) -> None:
    def build(_port: int):
        given = {"REREAD_STORAGE": cast.storage.url}
        return build_site(Settings.from_environment(given), cast.database)

    with ExitStack() as running:
        port = running.enter_context(live.serving_at(build, port=free_port()))
        with Site(f"http://127.0.0.1:{port}", browser).person() as rita:
            start(rita)
            rita.page.wait_for_load_state("networkidle")
            running.close()
            answer(rita, "s8!")  # to nobody
            expect(rita.page.locator("[data-unsaved]")).to_contain_text("did not answer")
            assert readings(cast) == []
            with live.serving_at(build, port=port):
                see_opinion(rita)
                expect(rita.page.locator("[data-save-state]")).to_contain_text("Saved")
            rita.complaints.clear()  # requests that nobody answered
    assert readings(cast) == [("unaided", "SK", 80)]


KEPT = """async () => ({
    local: Object.entries(localStorage), session: Object.entries(sessionStorage),
    databases: await indexedDB.databases(), caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length })"""


def test_b7_after_signing_out_nothing_of_the_study_is_left_on_the_computer(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    """A browser with a profile on the disk, as a hospital's has; its files are searched."""
    profile = tmp_path / "profile"
    answers: list[Response] = []
    context = browser.browser_type.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=QUIET
    )
    context.set_default_timeout(PATIENCE)
    rita = Person(context.pages[0], site.address)

    def keep(answer: Response) -> None:
        answers.append(answer)

    rita.page.on("response", keep)
    start(rita)
    picture = next(each.body() for each in answers if "/images/" in each.url)
    answer(rita, "b7!")
    see_opinion(rita)
    shown_map = next(each.body() for each in answers if "/overlays/" in each.url)
    rita.page.get_by_role("button", name="Sign out").click()
    expect(rita.page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    kept = rita.page.evaluate(KEPT)
    cookies = {each["name"] for each in context.cookies()}
    careless = [
        each.url
        for each in answers
        if "/static/" not in each.url and each.headers.get("cache-control") != "no-store"
    ]
    context.close()
    assert kept == {"local": [], "session": [], "databases": [], "caches": [], "workers": 0}
    assert cookies <= {"reread-device", "reread-language"}, "no session is left"
    assert careless == []
    files = [path.read_bytes() for path in profile.rglob("*") if path.is_file()]
    assert len(files) > 5, "a profile was written"
    middle = len(picture) // 2
    # The browser's own memory of forms has the address typed at the door, as its owner let it.
    for secret in (
        picture[middle : middle + 48],
        shown_map[60:108],
        b"The model says",
        b"Your unaided call",
        PASSWORD.encode(),
    ):
        assert not [file for file in files if secret in file], secret
    # The search can find: the site's address is there.
    assert any(b"127.0.0.1" in file for file in files)
