"""Tables sorted by a heading and filtered by a word, by keys alone; forced colours; paper."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from app.domain.access import AccountRole
from tests.browser.conftest import Person, Site, serving
from tests.browser.test_access_for_all import breaches
from tests.browser.test_reading_room import answer, see_opinion, start
from tests.conftest import PASSWORD, Cast, make_account
from tests.reading.steps import finish, unblind


def first_column(page: Page, table: str) -> list[str]:
    return [text.strip() for text in page.locator(f"#{table} tbody th").all_inner_texts()]


def read_one_case(site: Site) -> None:
    with site.person() as rita:
        start(rita)
        answer(rita, "b7!")
        see_opinion(rita)
        answer(rita, "s6!")
        expect(rita.page.get_by_text("Case 2 of 6")).to_be_visible()


def press_heading(person: Person, table: str, name: str) -> None:
    """Sort with the keyboard; the focus stays on the heading."""
    person.page.locator(f"#{table} thead").get_by_role("button", name=name).focus()
    person.page.keyboard.press("Enter")


def test_readers_are_sorted_by_keys_and_what_is_missing_stands_last(site: Site) -> None:
    read_one_case(site)
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/readers")
        page = cora.page
        finished = page.locator("#readers-table thead th", has_text="Finished")
        press_heading(cora, "readers-table", "Finished")
        expect(finished).to_have_attribute("aria-sort", "ascending")
        assert first_column(page, "readers-table") == ["Rolf", "Rita"]
        page.keyboard.press("Enter")
        expect(finished).to_have_attribute("aria-sort", "descending")
        assert first_column(page, "readers-table") == ["Rita", "Rolf"]
        for _ in range(2):  # Rolf has made no step: he is last in both directions
            press_heading(cora, "readers-table", "Last step")
            assert first_column(page, "readers-table") == ["Rita", "Rolf"]
        assert breaches(page) == []


def test_the_monitor_keeps_its_order_when_it_is_fetched_anew(site: Site) -> None:
    read_one_case(site)
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        with cora.page.expect_response("**/monitor/live*"):
            cora.goto("/studies/bcc-sk/monitor")
            press_heading(cora, "times-table", "Reader")
            cora.page.keyboard.press("Enter")
        missing = cora.page.locator("#times-table thead th", has_text="Reader")
        expect(missing).to_have_attribute("aria-sort", "descending")
        expect(cora.page.locator("#times-table tbody th").first).to_contain_text("Rolf")


def test_cases_are_found_by_a_word(site: Site) -> None:
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/cases")
        shown = cora.page.locator("#cases-gallery > li:visible")
        expect(shown).to_have_count(6)
        code = cora.page.locator("#cases-gallery > li strong").last.inner_text()
        cora.page.get_by_label("Show only those with").fill(code.upper())
        expect(shown).to_have_count(1)
        expect(cora.page.get_by_role("status")).to_have_text("1 of 6 shown")
        cora.page.get_by_label("Show only those with").fill("")
        expect(shown).to_have_count(6)
        assert breaches(cora.page) == []


def test_in_forced_colours_the_chosen_call_is_outlined_and_the_bar_keeps_its_colours(
    site: Site,
) -> None:
    with site.person(forced_colors="active") as rita:
        start(rita)
        answer(rita, "b7")
        chosen = rita.page.locator("input[value=BCC] + .option-face")
        assert chosen.evaluate("at => getComputedStyle(at).outlineStyle") == "solid"
        answer(rita, "!")
        see_opinion(rita)
        bar = rita.page.locator(".probability-bar")
        assert bar.evaluate("at => getComputedStyle(at).forcedColorAdjust") == "none"


def test_in_forced_colours_one_tab_alone_is_underlined_and_progress_is_filled(site: Site) -> None:
    read_one_case(site)
    with site.person(forced_colors="active") as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/readers")
        page = cora.page
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        lines = page.locator(".tabs a, .tabs li > span").evaluate_all(
            "all => all.map((at) => [at.innerText, getComputedStyle(at).borderBottomColor])"
        )
        assert [name for name, colour in lines if colour != paper] == ["Readers"]
        # Rita has one of six cases: the bar is filled for a sixth.
        bar = page.locator("#readers-table tr", has_text="Rita").locator("progress")
        drawn = Image.open(io.BytesIO(bar.screenshot())).convert("RGB")
        filled, empty = (
            drawn.getpixel((int(drawn.width * share), drawn.height // 2)) for share in (0.1, 0.5)
        )
        assert filled != empty


def test_on_paper_tables_keep_their_headings_and_buttons_are_left_away(site: Site) -> None:
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/readers")
        cora.page.emulate_media(media="print")
        expect(cora.page.locator("#readers-table .sort").first).to_be_visible()
        expect(cora.page.get_by_role("button", name="Sign out")).to_be_hidden()
        expect(cora.page.locator(".languages")).to_be_hidden()


def read_by_both(cast: Cast) -> None:
    for reader in (cast.rita, cast.rolf):
        for _ in range(6):
            finish(cast, reader)


# How far the last column of each table stands outside of its box.
CUT_OFF = """() => [...document.querySelectorAll(".wide")]
    .map((box) => [box.querySelector("table").id || box.getAttribute("aria-labelledby"),
        box.scrollWidth - box.clientWidth])
    .filter(([, over]) => over > 0)"""


def widest_shares(page: Page) -> None:
    """Fill the table of reliance with the widest row: which shares it has follows from an order."""
    page.locator('[aria-labelledby="reliance-caption"] td').filter(
        has_text=re.compile("%|\u2013")
    ).evaluate_all(
        """all => all.forEach((at) => { at.innerHTML =
            '<strong>100.0\u00a0%</strong> <span class="range">608/608</span>' })"""
    )


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_on_a_tablet_held_upright_no_table_of_readers_is_cut_off(
    cast: Cast, browser: Browser, locale: str
) -> None:
    """The tables of a study under way, then those of its results, with their twelve columns."""
    read_by_both(cast)
    with (
        serving(cast.database, cast.storage, browser) as site,
        site.person(locale=locale, has_touch=True) as cora,
    ):
        cora.page.set_viewport_size({"width": 768, "height": 1024})
        cora.sign_in("cora@example.org")
        for path, tables in (("readers", 1), ("monitor", 2), ("results", 8)):
            if path == "results":
                unblind(cast)
            cora.goto(f"/studies/bcc-sk/{path}")
            assert cora.page.locator(".wide table:visible").count() >= tables, path
            widest_shares(cora.page)
            assert cora.page.evaluate(CUT_OFF) == [], path


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_on_a_tablet_held_upright_no_account_is_cut_off(
    cast: Cast, browser: Browser, locale: str
) -> None:
    make_account(cast.database, "ada.administrator@hospital.example", AccountRole.ADMINISTRATOR)
    with (
        serving(cast.database, cast.storage, browser) as site,
        site.person(locale=locale, has_touch=True) as ada,
    ):
        ada.page.set_viewport_size({"width": 768, "height": 1024})
        ada.goto("/sign-in")
        ada.page.fill("[name=email]", "ada.administrator@hospital.example")
        ada.page.fill("[name=password]", PASSWORD)
        ada.page.click("main button[type=submit]")
        ada.page.wait_for_url("**/accounts")
        assert ada.page.locator("#accounts-table tbody tr").count() >= 4
        assert ada.page.evaluate(CUT_OFF) == []


def test_figures_are_there_to_be_printed_before_anybody_scrolled_to_them(
    cast: Cast, browser: Browser
) -> None:
    read_by_both(cast)
    unblind(cast)
    with serving(cast.database, cast.storage, browser) as site, site.person() as cora:
        page = cora.page
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/results")
        page.wait_for_load_state("networkidle")
        figures = page.locator(".figures img")
        assert figures.count() >= 6
        assert figures.evaluate_all("all => all.filter((one) => !one.naturalWidth).length") == 0
        assert page.evaluate("scrollY") == 0
        # With more readers folds are closed: opening one fetches all that it holds.
        figures.evaluate_all(
            """all => { for (const one of all) {
                const { src } = one;
                one.removeAttribute("src");
                one.loading = "lazy";
                one.src = src + "?anew";
                const fold = one.closest("details");
                if (fold) fold.open = false; } }"""
        )
        fold = page.locator("details.fold", has=page.locator("img")).last
        fold.locator("summary").click()
        expect(fold.locator("img[loading=lazy]")).to_have_count(0)
        page.wait_for_function(
            """() => [...document.querySelectorAll("details[open] .figures img")]
                .every((one) => one.naturalWidth)"""
        )


def test_on_paper_no_table_of_the_results_is_wider_than_the_sheet(
    cast: Cast, browser: Browser
) -> None:
    """A4 upright between its margins is 186 mm wide: 703 CSS pixels."""
    read_by_both(cast)
    unblind(cast)
    with serving(cast.database, cast.storage, browser) as site, site.person() as cora:
        page = cora.page
        cora.sign_in("cora@example.org")
        page.set_viewport_size({"width": 703, "height": 1000})
        page.emulate_media(media="print")
        for path in ("results", "readers", "monitor", "audit", "cases"):
            cora.goto(f"/studies/bcc-sk/{path}")
            widest_shares(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= 703, path
        expect(page.locator("main")).to_be_visible()
        cora.goto("/studies/bcc-sk/readers")
        expect(page.locator("#invite")).to_be_hidden()
        bar = page.locator("#readers-table progress").first
        assert bar.evaluate("at => getComputedStyle(at).printColorAdjust") == "exact"


def test_on_paper_a_picture_that_has_not_come_is_left_away_and_the_page_says_so(site: Site) -> None:
    with site.person() as cora:
        page = cora.page
        cora.sign_in("cora@example.org")
        held: list[Route] = []
        come = False

        def hold(route: Route) -> None:
            if come:
                route.continue_()
            else:
                held.append(route)

        page.route("**/cases/*/images/1", hold)
        cora.goto("/studies/bcc-sk/cases")
        page.emulate_media(media="print")
        pictures, note = page.locator(".gallery img"), page.locator(".left-away")
        expect(pictures).to_have_count(6)
        expect(page.locator(".gallery img:visible")).to_have_count(0)
        expect(page.locator(".gallery li:visible")).to_have_count(6)
        expect(note).to_contain_text("scroll to the end of the page first")

        come = True
        # As a browser does that prints: it fetches all, in sight or not.
        pictures.evaluate_all("all => { for (const one of all) one.loading = 'eager'; }")
        for one in held:
            one.continue_()
        expect(page.locator(".gallery img:visible")).to_have_count(6)
        expect(note).to_be_hidden()
        page.emulate_media(media="screen")
        expect(note).to_be_hidden()


def test_the_report_of_a_pack_is_printed_with_no_row_and_no_figure_cut_in_two(
    cast: Cast, browser: Browser, tmp_path: Path
) -> None:
    read_by_both(cast)
    unblind(cast)
    with serving(cast.database, cast.storage, browser) as site, site.person() as cora:
        page = cora.page
        cora.sign_in("cora@example.org")
        packed = page.context.request.get(f"{site.address}/studies/bcc-sk/export/export.zip")
        with zipfile.ZipFile(io.BytesIO(packed.body())) as pack:
            name = next(name for name in pack.namelist() if name.endswith("report.html"))
            report = tmp_path / "report.html"
            report.write_bytes(pack.read(name))
        page.set_viewport_size({"width": 703, "height": 1000})
        page.emulate_media(media="print")
        page.goto(report.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 703
        # A paragraph holds each figure, of 11 cm at most: two of them fit a sheet.
        for one in ("tr", "thead", "caption", "p:has(img)"):
            styles = page.locator(one).evaluate_all(
                "all => all.map((at) => getComputedStyle(at).breakInside)"
            )
            assert set(styles) == {"avoid"}, one
        heights = page.locator("img").evaluate_all("all => all.map((at) => at.offsetHeight)")
        assert 0 < max(heights) <= 416
