"""The languages on offer: English, and one for each catalogue (a .po file) in this folder.

The file's name is its locale, such as zh_Hans_CN.po. Catalogues are read when the program starts;
nothing compiled is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path
from typing import cast

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

FOLDER = Path(__file__).parent
LONGEST_WISH = 20  # languages of one Accept-Language header that are looked at


@dataclass(frozen=True)
class Language:
    """A language pages can be shown in."""

    name: str  # as a choice is kept and a catalogue is named: zh_Hans_CN
    locale: Locale
    translations: NullTranslations
    script_texts: dict[str, str]  # English -> this language, of what static/*.js say

    @property
    def tag(self) -> str:
        """Return the language as HTML names it, such as zh-Hans-CN."""
        return self.name.replace("_", "-")

    @property
    def own_name(self) -> str:
        """Return what the language calls itself, with its script where it has several."""
        of_script = f"{self.locale.language}_{self.locale.script}"
        names = cast("dict[str, str]", self.locale.languages)
        return names.get(of_script) or names.get(self.locale.language) or self.name

    def is_meant_by(self, wish: Locale) -> bool:
        """Say whether somebody who wants `wish` reads this: the same language in one script."""
        return (wish.language, _script(wish)) == (self.locale.language, _script(self.locale))


# Its words are the source's; its dates are 27 Nov 2026.
ENGLISH = Language("en", Locale("en", "GB"), NullTranslations(), {})


def read_language(path: Path) -> Language:
    """Read a catalogue; raises ValueError when it cannot be parsed."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    texts = _script_texts(catalogue)
    return Language(path.stem, Locale.parse(path.stem), Translations(compiled), texts)


@cache
def offered() -> tuple[Language, ...]:
    """Return every language on offer, English first."""
    return (ENGLISH, *(read_language(path) for path in sorted(FOLDER.glob("*.po"))))


def language_named(name: str | None) -> Language | None:
    """Return the language of a choice that was kept; None where it is not on offer."""
    return next((language for language in offered() if language.name == name), None)


def language_wished(accept_language: str) -> Language:
    """Return the first language on offer of an Accept-Language header (RFC 9110), else English."""
    for wish in _wishes(accept_language):
        found = next((language for language in offered() if language.is_meant_by(wish)), None)
        if found:
            return found
    return ENGLISH


def _wishes(header: str) -> Iterable[Locale]:
    weighed: list[tuple[float, str]] = []
    for part in header.split(",")[:LONGEST_WISH]:
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((float(weight or 1), tag))
        except ValueError:
            continue
    for weight, tag in sorted(weighed, key=lambda each: -each[0]):
        try:
            if weight > 0:
                yield Locale.parse(tag, sep="-")
        except (ValueError, TypeError, UnknownLocaleError):
            continue


def _script(locale: Locale) -> str | None:
    if locale.script:
        return locale.script
    likely = get_global("likely_subtags")
    known = likely.get(str(locale)) or likely.get(locale.language)
    return Locale.parse(known).script if known else None


def _script_texts(catalogue: Catalog) -> dict[str, str]:
    return {
        str(message.id): str(message.string)
        for message in catalogue
        if message.string and any(place.startswith("static/") for place, _ in message.locations)
    }
