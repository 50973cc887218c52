"""A reader at the keyboard: a whole case, and everything that can come between."""

import re

from playwright.sync_api import Route, expect

from app.db.session import Role
from tests.browser.conftest import Person, Site
from tests.conftest import Cast


def start(person: Person) -> None:
    person.sign_in("rita@example.org")
    person.goto("/studies/bcc-sk/read")
    person.page.get_by_role("button", name=re.compile("Start")).click()
    see_image(person)


def see_image(person: Person) -> None:
    """A call cannot be locked before its image is there."""
    expect(person.page.locator("[data-call-form=unaided]")).to_be_visible()
    expect(person.page.locator("[data-viewer][data-opened]").first).to_be_visible()


def see_opinion(person: Person) -> None:
    """The aided call cannot be locked before the map is there either."""
    expect(person.page.get_by_text("The model says")).to_be_visible()
    expect(person.page.locator("[data-viewer][data-mapped]").first).to_be_visible()


def answer(person: Person, keys: str) -> None:
    for key in keys:
        person.page.keyboard.press("Enter" if key == "!" else key)


def readings(cast: Cast) -> list[tuple[str, str, int]]:
    with cast.begin(Role.READER, cast.rita) as connection:
        found = connection.execute(
            "SELECT phase, call, confidence FROM reading ORDER BY locked_at"
        ).fetchall()
    return [tuple(row) for row in found]


def test_the_keyboard_alone_serves_a_whole_case(site: Site, cast: Cast) -> None:
    with site.person() as rita:
        start(rita)
        answer(rita, "b7!")
        see_opinion(rita)
        expect(rita.page.get_by_text("Your unaided call: BCC, 70 % sure")).to_be_visible()
        answer(rita, "s6!")
        expect(rita.page.get_by_text("Case 2 of 6")).to_be_visible()
    assert readings(cast) == [("unaided", "BCC", 70), ("aided", "SK", 60)]


def test_choosing_is_free_and_locks_nothing_until_the_lock_itself(site: Site, cast: Cast) -> None:
    with site.person() as rita:
        start(rita)
        posted = len(rita.requests)
        answer(rita, "b7s2b4")
        rita.page.locator("[name=call][value=SK]").check()
        answer(rita, "9")
        assert readings(cast) == []
        assert rita.requests[posted:] == [], "choosing sends nothing"
        rita.page.reload()
        see_image(rita)
        assert readings(cast) == []
        answer(rita, "s9!")
        see_opinion(rita)
    assert readings(cast) == [("unaided", "SK", 90)]


def test_the_reveal_comes_by_itself_after_the_lock(site: Site) -> None:
    with site.person() as rita:
        start(rita)
        answer(rita, "b7!")
        see_opinion(rita)
        reveals = [url for url in rita.requests if url.endswith("/reveal")]
    assert len(reveals) == 1, "sent by the page, once, without a key or a click"


def test_a_reader_may_pause_and_the_next_case_waits_unseen(site: Site, cast: Cast) -> None:
    with site.person() as rita:
        start(rita)
        answer(rita, "b7!")
        see_opinion(rita)
        rita.page.get_by_label("Pause after this case").check()
        answer(rita, "s6!")
        expect(rita.page.get_by_role("button", name="Show case 2")).to_be_visible()
        with cast.begin(Role.READER, cast.rita) as connection:
            assert connection.execute("SELECT count(*) FROM served").fetchone() == (1,)
        rita.page.get_by_role("button", name="Show case 2").click()
        see_image(rita)


def test_b6_nothing_of_the_ai_is_fetched_or_shown_before_the_lock(site: Site) -> None:
    with site.person() as rita:
        start(rita)
        rita.page.wait_for_load_state("networkidle")
        before = list(rita.requests)
        html = rita.page.content()
        # The page is the same document: "networkidle" was reached long ago, and waits for nothing.
        with rita.page.expect_request("**/overlays/*"):
            answer(rita, "b7!")
        expect(rita.page.get_by_text("The model says")).to_be_visible()
    assert any("/images/1" in url for url in before)
    assert not [url for url in before if "overlay" in url or "reveal" in url]
    assert not re.search(r"prefetch|preload|prerender|speculationrules|The model says", html)
    assert [url for url in rita.requests if "overlay" in url]


def test_d6_reload_back_and_a_second_tab_come_back_to_the_servers_state(
    site: Site, cast: Cast
) -> None:
    with site.person() as rita:
        start(rita)
        stale = rita.page.context.new_page()
        stale.goto(site.address + "/studies/bcc-sk/read")
        expect(stale.locator("[data-viewer][data-opened]")).to_be_visible()
        answer(rita, "b7!")
        expect(rita.page.get_by_text("The model says")).to_be_visible()
        rita.page.reload()
        expect(rita.page.get_by_text("The model says")).to_be_visible()
        rita.page.go_back()
        rita.goto("/studies/bcc-sk/read")
        expect(rita.page.locator("[data-call-form=aided]")).to_be_visible()
        # The second tab still shows the open question; its answer comes too late.
        stale.locator("[name=call][value=SK]").check(force=True)
        stale.fill("[name=confidence]", "99")
        stale.locator("[data-lock]").click()
        expect(stale.get_by_text("already locked: BCC, 70 % sure")).to_be_visible()
        expect(stale.locator("[data-call-form=aided]")).to_be_visible()
    assert readings(cast) == [("unaided", "BCC", 70)]


def test_nothing_is_preselected_and_an_unfinished_form_is_not_locked(
    site: Site, cast: Cast
) -> None:
    with site.person() as rita:
        start(rita)
        assert rita.page.locator("[name=call]:checked").count() == 0
        assert rita.page.input_value("[name=confidence]") == ""
        answer(rita, "!")
        answer(rita, "b!")
        expect(rita.page.locator("[data-call-form=unaided]")).to_be_visible()
    assert readings(cast) == []


def test_f14_a_lost_submit_stays_on_the_page_and_is_sent_again_until_it_is_saved(
    site: Site, cast: Cast
) -> None:
    with site.person() as rita:
        start(rita)
        rita.page.route("**/unaided", lambda route: route.abort())
        answer(rita, "b7!")
        expect(rita.page.locator("[data-unsaved]")).to_be_visible()
        expect(rita.page.locator("[data-save-state]")).to_contain_text("Not saved yet")
        assert readings(cast) == []
        # What was locked is not changed while it is on its way.
        answer(rita, "s3")
        assert rita.page.input_value("[name=confidence]") == "70"
        rita.page.unroute("**/unaided")
        expect(rita.page.get_by_text("The model says")).to_be_visible()
        expect(rita.page.locator("[data-save-state]")).to_contain_text("Saved")
        rita.complaints.clear()  # the aborted requests themselves are logged by the browser
    assert readings(cast) == [("unaided", "BCC", 70)]


def test_f2_an_answer_lost_after_the_commit_is_the_same_receipt_when_sent_again(
    site: Site, cast: Cast
) -> None:
    lost = []

    def lose(route: Route) -> None:
        lost.append(route.request.post_data)  # first: what follows may be overtaken by the next
        route.fetch(max_redirects=0)  # the server has it, and says so to nobody
        route.abort()

    with site.person() as rita:
        start(rita)
        rita.page.route("**/unaided", lose, times=2)
        answer(rita, "b7!")
        expect(rita.page.get_by_text("The model says")).to_be_visible()
        rita.complaints.clear()
    assert len(lost) == 2
    assert readings(cast) == [("unaided", "BCC", 70)]


def test_d14_the_session_ends_mid_case_and_the_typed_values_are_sent_after_signing_in(
    site: Site, cast: Cast
) -> None:
    with site.person() as rita:
        start(rita)
        rita.page.context.clear_cookies()
        answer(rita, "s8!")
        expect(rita.page.get_by_text("Sign in in a new tab")).to_be_visible()
        assert rita.page.input_value("[name=confidence]") == "80"
        assert readings(cast) == []
        other = Person(rita.page.context.new_page(), site.address)
        other.sign_in("rita@example.org")
        rita.page.evaluate("window.dispatchEvent(new Event('focus'))")
        expect(rita.page.get_by_text("The model says")).to_be_visible()
    assert readings(cast) == [("unaided", "SK", 80)]


def test_b7_the_browser_keeps_nothing_of_the_study(site: Site) -> None:
    with site.person() as rita:
        start(rita)
        answer(rita, "b7!")
        expect(rita.page.get_by_text("The model says")).to_be_visible()
        kept = rita.page.evaluate(
            "JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage)])"
        )
        rita.page.get_by_role("button", name="Sign out").click()
        expect(rita.page.get_by_role("button", name="Sign in")).to_be_visible()
        rita.page.go_back()
        rita.page.wait_for_load_state()
        assert "The model says" not in rita.page.content()
    assert kept == "[[],[]]"


def test_without_script_a_case_can_be_read_all_the_same(site: Site, cast: Cast) -> None:
    with site.person(java_script_enabled=False) as rita:
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        rita.page.get_by_role("button", name=re.compile("Start")).click()
        rita.page.locator("[name=call][value=BCC]").check(force=True)
        rita.page.fill("[name=confidence]", "55")
        rita.page.locator("[data-lock]").click()
        rita.page.locator("form[action$='/reveal'] button").click()
        expect(rita.page.get_by_text("The model says")).to_be_visible()
    assert readings(cast) == [("unaided", "BCC", 55)]
