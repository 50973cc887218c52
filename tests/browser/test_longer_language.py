"""No page and no state of the room breaks in a language 40 per cent longer than English.

The language is made here from the English texts: its vowels are drawn out, so that words grow as
well as sentences. Its dates and numbers are German ones.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from playwright.sync_api import Browser, Page

from app.actions.design_study import create_study
from app.db.session import Database, Role
from app.domain.access import AccountRole
from app.languages import catalogues
from app.storage import Storage
from tests.browser.conftest import Person, Site, serving
from tests.browser.states import SIZES, study_in_full, walk
from tests.browser.test_every_state import CUT_OFF, LOCK, OVERLAPS, SIDEWAYS, picture_of
from tests.conftest import PASSWORD, Cast, make_account
from tests.reading.additions import import_more
from tests.reading.steps import close, exclude, finish, lock, unblind

NAME, TAG = "de", "de"
LONGER = 1.4
# What is no word: tags, entities, placeholders.
FIXED = re.compile(r"<[^>]*>|&\w+;|%\(\w+\)[sd]|%%|\{[^}]*\}|https?://\S+")
SHAPES = ("tablet-upright", "tablet", "hospital")
HERE = "/studies/bcc-sk"

# Words that lie over other words; and words that do not fit what they are written on.
BROKEN = """() => {
    const passed = ".unseen, .skip, script, style, noscript, template, svg, .locking, option, "
        + ".openseadragon-container";
    const written = [];
    const unseen = (at) => {  // kept for those who listen
        for (; at; at = at.parentElement) if (getComputedStyle(at).clipPath !== "none") return true;
        return false;
    };
    // What of it is seen: not what is scrolled out of its panel, or shortened with dots.
    const seen = (at, place) => {
        let { left, top, right, bottom } = place;
        for (; at; at = at.parentElement) {
            if (getComputedStyle(at).overflow === "visible" || at === document.body) continue;
            const edge = at.getBoundingClientRect();
            left = Math.max(left, edge.left); right = Math.min(right, edge.right);
            top = Math.max(top, edge.top); bottom = Math.min(bottom, edge.bottom);
        }
        return { left, top, right, bottom, width: right - left, height: bottom - top };
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const at = node.parentElement;
        const words = node.textContent.trim();
        if (!words || at.closest(passed) || unseen(at)) continue;
        if (!at.checkVisibility({ visibilityProperty: true })) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const place of [...range.getClientRects()].map((each) => seen(at, each)))
            if (place.width > 1 && place.height > 1) written.push([at, place, words]);
    }
    const found = [];
    written.sort(([, a], [, b]) => a.top - b.top);
    for (const [number, [one, a, words]] of written.entries())
        for (const [other, b, others] of written.slice(number + 1)) {
            if (b.top > a.bottom) break;
            const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (one !== other && across > 2 && down > Math.min(a.height, b.height) / 2)
                found.push(`"${words.slice(0, 40)}" over "${others.slice(0, 40)}"`);
        }
    for (const [at, place, words] of written) {
        const box = at.closest(
            "button, .button, .tag, .option-face, .message, .card, .opinion, th, td");
        const edge = box?.getBoundingClientRect();
        if (box && (place.right > edge.right + 1 || place.bottom > edge.bottom + 2
                || place.left < edge.left - 1))
            found.push(`"${words.slice(0, 60)}" beyond its ${box.tagName} ${box.className}`);
        const hides = at.closest(
            ".save-state, .legend, figcaption, .account-name, label, legend, h1");
        if (hides && hides.scrollWidth > hides.clientWidth + 1 && hides.clientWidth)
            found.push(`"${words.slice(0, 60)}" is cut off`);
    }
    return [...new Set(found)];
}"""


def drawn_out(text: str) -> str:
    """Return the text with so many vowels more that its words are 40 per cent longer."""
    pieces = re.split(f"({FIXED.pattern})", text)
    wanted = sum(len(piece) for piece in pieces[::2]) * (LONGER - 1)
    for _ in range(4):
        for number in range(0, len(pieces), 2):
            grown = ""
            for character in pieces[number]:
                more = character.lower() in "aeiou" and wanted > 0
                grown += character + (character.lower() if more else "")
                wanted -= more
            pieces[number] = grown
    return "".join(pieces)


@pytest.fixture
def longer_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with one catalogue: every English text of the source, drawn out."""
    made = Catalog(locale=NAME)
    with (catalogues.FOLDER / "zh_Hans_CN.po").open("rb") as file:
        for message in read_po(file, locale="zh_Hans_CN"):
            if isinstance(message.id, str) and message.id:
                made.add(message.id, drawn_out(message.id), locations=message.locations)
            elif message.id:
                made.add(message.id, tuple(drawn_out(each) for each in message.id))
    out = BytesIO()
    write_po(out, made)
    (tmp_path / f"{NAME}.po").write_bytes(out.getvalue())
    monkeypatch.setattr(catalogues, "FOLDER", tmp_path)
    catalogues.offered.cache_clear()
    yield
    catalogues.offered.cache_clear()


class Looked:
    """What is broken, by page and size."""

    def __init__(self) -> None:
        self.wrong: dict[str, object] = {}
        self.pages = 0

    def told(self) -> str:
        """Return everything that is broken, a line each."""
        return "\n".join(f"{name}: {what}" for name, what in self.wrong.items())

    def at(self, page: Page, name: str, *, room: bool = False) -> None:
        """Look at the page at each of the sizes, and leave it at the last."""
        self.pages += 1
        assert page.locator("html").get_attribute("lang") == TAG
        for size in SHAPES:
            width, height, _by = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            found = {
                "sideways": page.evaluate(SIDEWAYS),
                "broken": page.evaluate(BROKEN),
            }
            if room:
                found |= {
                    "one over another": page.evaluate(OVERLAPS),
                    "tools cut off": page.evaluate(CUT_OFF),
                    "lock out of sight": not page.evaluate(LOCK),
                }
            picture_of(page, f"longer-{size}", name)
            self.wrong |= {f"{name}, {size}: {what}": one for what, one in found.items() if one}


def test_the_language_is_longer_and_keeps_its_placeholders() -> None:
    made = drawn_out("Case {position} of <a href='/x'>%(cases)s</a>: lock this call, 100 %%")
    assert "{position}" in made
    assert "<a href='/x'>%(cases)s</a>" in made
    assert made.endswith("100 %%")
    words = "Lock the final call"
    assert len(drawn_out(words)) >= LONGER * len(words)


def test_what_is_broken_is_found(site: Site) -> None:
    with site.person() as somebody:
        somebody.goto("/sign-in")
        page = somebody.page
        assert page.evaluate(BROKEN) == []
        page.evaluate(
            "document.querySelector('main button').style.cssText = 'width:20px;padding:0'"
        )
        assert any("beyond its BUTTON" in found for found in page.evaluate(BROKEN))
        page.reload()
        page.evaluate("document.querySelector('main form').style.marginTop = '-3rem'")
        assert any(" over " in found for found in page.evaluate(BROKEN))


@pytest.mark.usefixtures("longer_language")
def test_no_state_of_the_reading_room_breaks(
    database: Database, storage: Storage, browser: Browser
) -> None:
    cast = study_in_full(database, storage)
    looked = Looked()
    with (
        serving(cast.database, cast.storage, browser) as site,
        site.person(has_touch=True, reduced_motion="reduce", locale="de-DE") as rita,
    ):
        for number, name in enumerate(walk(rita), start=1):
            looked.at(rita.page, f"{number:02} {name}", room=True)
        rita.complaints.clear()  # the request that was cut off is logged by the browser
    assert looked.wrong == {}, looked.told()
    assert looked.pages > 25


@pytest.mark.usefixtures("longer_language")
def test_no_page_of_a_coordinator_or_an_administrator_breaks(cast: Cast, browser: Browser) -> None:
    with cast.begin(Role.COORDINATOR, cast.olga) as connection:
        create_study(connection, code="first", title="A first study", seed=1, by=cast.olga)
    for _ in range(6):
        finish(cast, cast.rita)
    lock(cast, cast.rolf)
    exclude(cast)
    import_more(cast)
    make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    looked = Looked()

    def look(person: Person, *paths: str, state: str = "") -> None:
        for path in paths:
            person.goto(path)
            looked.at(person.page, f"{state}{path}")

    options = {"locale": "de-DE", "reduced_motion": "reduce"}
    with serving(cast.database, cast.storage, browser) as site:
        with site.person(**options) as olga:
            olga.sign_in("olga@example.org")
            look(olga, "/", *(f"/studies/first{part}" for part in (
                "", "/cases", "/readers", "/monitor", "/design", "/letters", "/consent",
                "/import", "/addition", "/seen-before", "/results", "/unblind")))  # fmt: skip
            look(olga, "/tokens", "/account", "/account/second-factor", "/nothing", "/studies/new")
            olga.complaints.clear()
        with site.person(**options) as cora:
            cora.sign_in("cora@example.org")
            look(cora, "/", *(HERE + part for part in (
                "", "/cases", "/readers", "/monitor", "/design", "/letters", "/addition",
                "/seen-before", "/import", f"/readers/{cast.rita.id}?number=1")))  # fmt: skip
            reading = re.search(rf"{HERE}/readings/[0-9a-f-]{{36}}", cora.page.content())
            assert reading is not None
            look(cora, reading[0])
            close(cast)
            look(cora, HERE, HERE + "/unblind", HERE + "/monitor", state="closed ")
            unblind(cast)
            look(cora, HERE, HERE + "/results", HERE + "/audit", state="unblinded ")
            cora.complaints.clear()
        with site.person(**options) as ada:
            ada.goto("/sign-in?next=/log")
            ada.page.fill("[name=email]", "ada@example.org")
            ada.page.fill("[name=password]", PASSWORD)
            ada.page.click("main button[type=submit]")
            ada.page.wait_for_url("**/log")
            look(ada, "/accounts", "/log", f"/accounts/{cast.rita.id}")
    assert looked.wrong == {}, looked.told()
    assert looked.pages == 39
