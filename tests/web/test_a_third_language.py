"""A third language by adding a file: made up, each of its texts in brackets.

A word that stands outside of brackets was said by no catalogue.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from app.languages import catalogues
from tests.conftest import Cast
from tests.reading.steps import finish, lock
from tests.web.shown import texts_of
from tests.web.site import Site
from tests.web.test_wholly_translated import KEPT, KEPT_WORDS, in_chinese_words, opened

NAME = "zh_Hant_TW"  # has no catalogue here, and its dates have no letters to take for words
OPEN, CLOSE = "\N{LEFT-POINTING ANGLE BRACKET}", "\N{RIGHT-POINTING ANGLE BRACKET}"


@pytest.fixture
def made_up_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with one catalogue: every English text of the source in brackets."""
    made = Catalog(locale=NAME)
    with (catalogues.FOLDER / "zh_Hans_CN.po").open("rb") as file:
        for message in read_po(file, locale="zh_Hans_CN"):
            if isinstance(message.id, str) and message.id:
                text = f"{OPEN}{message.id}{CLOSE}"
                made.add(message.id, text, locations=message.locations)
            elif message.id:
                made.add(message.id, (f"{OPEN}{message.id[-1]}{CLOSE}",))
    out = BytesIO()
    write_po(out, made)
    (tmp_path / f"{NAME}.po").write_bytes(out.getvalue())
    monkeypatch.setattr(catalogues, "FOLDER", tmp_path)
    catalogues.offered.cache_clear()
    yield
    catalogues.offered.cache_clear()


def outside_of_brackets(page: str) -> list[str]:
    """Words that stand in no bracket; a text that elements part has its brackets around all."""
    depth, left = 0, ""
    for character in "\n".join(texts_of(page, kept=KEPT | {"languages"}, but_lang="en")):
        depth += (character == OPEN) - (character == CLOSE)
        if depth == 0 or character == "\n":
            left += character
    lines = [line for line in left.splitlines() if KEPT_WORDS.sub("", line).strip(CLOSE)]
    return [line for line in lines if re.search(r"[A-Za-z]{2,}", KEPT_WORDS.sub("", line))]


@pytest.mark.usefixtures("made_up_language")
def test_every_text_of_a_language_that_was_added_comes_from_its_file(draft: Cast) -> None:
    cast = opened(in_chinese_words(draft))
    site = Site(cast)
    finish(cast, cast.rita)
    lock(cast, cast.rolf)
    cora, rita, rolf = (
        site.browser(person, **{"Accept-Language": "zh-TW"})
        for person in (cast.cora, cast.rita, cast.rolf)
    )
    study = "/studies/bcc-sk"
    pages = [
        *((rita, path) for path in ("/", "/keys", "/account", f"{study}/start", "/nowhere")),
        (rolf, f"{study}/read"),
        *((cora, path) for path in ("/", "/studies/new", "/tokens", study, f"{study}/import")),
        *((cora, f"{study}/{name}") for name in ("cases", "readers", "monitor", "design")),
        *((cora, f"{study}/{name}") for name in ("letters", "consent", "addition", "results")),
    ]
    left: dict[str, list[str]] = {}
    for browser, path in pages:
        page = browser.get(path).text
        assert 'lang="zh-Hant-TW"' in page
        left[path] = outside_of_brackets(page)
    assert {path: words for path, words in left.items() if words} == {}
