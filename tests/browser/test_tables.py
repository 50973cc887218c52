"""Tables sorted by a heading and filtered by a word, by keys alone; forced colours; paper."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Person, Site
from tests.browser.test_access_for_all import breaches
from tests.browser.test_reading_room import answer, see_opinion, start


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


def test_on_paper_tables_keep_their_headings_and_buttons_are_left_away(site: Site) -> None:
    with site.person() as cora:
        cora.sign_in("cora@example.org")
        cora.goto("/studies/bcc-sk/readers")
        cora.page.emulate_media(media="print")
        expect(cora.page.locator("#readers-table .sort").first).to_be_visible()
        expect(cora.page.get_by_role("button", name="Sign out")).to_be_hidden()
        expect(cora.page.locator(".languages")).to_be_hidden()
