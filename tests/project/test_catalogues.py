"""Catalogues hold a translation of every text, with the source's placeholders, and nothing else."""

import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from app.languages import collect
from app.languages.catalogues import FOLDER

CATALOGUES = sorted(FOLDER.glob("*.po"))
BY_FILE = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def texts(message: Message) -> tuple[list[str], list[str]]:
    """A message's English forms and its translations."""
    source, translation = message.id, message.string
    return (
        [source] if isinstance(source, str) else list(source),
        [translation] if isinstance(translation, str) else list(translation or ()),
    )


def placeholders(text: str) -> set[str]:
    """What is put into a text, in the ways of templates and of sentences, and its elements."""
    percents = set(re.findall(r"%\(\w+\)s", text))
    try:
        braces = {f"{{{name}}}" for _, name, _, _ in string.Formatter().parse(text) if name}
    except ValueError:  # a brace that is one
        braces = set()
    return percents | braces | set(re.findall(r"<[^>]+>", text))


def test_simplified_chinese_is_there() -> None:
    assert "zh_Hans_CN" in [path.stem for path in CATALOGUES]


@BY_FILE
def test_a_catalogue_has_the_texts_of_the_source_and_no_others(path: Path) -> None:
    assert collect.brought_up_to_date(path) == path.read_bytes(), "run `make languages`"


@BY_FILE
def test_every_text_is_translated_and_none_by_guess(path: Path) -> None:
    lacking = [m.id for m in read(path) if m.id and (m.fuzzy or not all(texts(m)[1]))]
    assert lacking == []


@BY_FILE
def test_a_translation_has_the_placeholders_and_elements_of_its_source(path: Path) -> None:
    different = [
        (sources, translation)
        for message in read(path)
        if message.id
        for sources, translations in [texts(message)]
        for translation in translations
        if translation
        and placeholders(translation) not in [placeholders(source) for source in sources]
    ]
    assert different == []


@BY_FILE
def test_a_template_can_fill_in_every_translation_of_its_texts(path: Path) -> None:
    class Anything(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return name

    for message in read(path):
        if any(place.startswith("templates/") for place, _ in message.locations):
            for translation in texts(message)[1]:
                # In a template a per cent sign is written twice, as in the source's own texts.
                assert "%(" not in translation % Anything()
