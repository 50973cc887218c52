"""The language of the request that is being answered, and what is said in it."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from string import Formatter

from babel.numbers import get_decimal_symbol, get_group_symbol

from app.domain.sentences import Sentence
from app.languages.catalogues import ENGLISH, Language
from app.languages.elsewhere import recognised

# Set once a request, by app/web/languages.py; a program without requests speaks English.
current: ContextVar[Language] = ContextVar("language", default=ENGLISH)
# The page asked for, to come back to after another language is chosen.
here: ContextVar[str] = ContextVar("here", default="/")


@contextmanager
def in_language(language: Language) -> Generator[None]:
    """Say things in another language for a while: a letter's, in the middle of a page."""
    before = current.set(language)
    try:
        yield
    finally:
        current.reset(before)


class _InLocale(Formatter):
    """Fills in a pattern; numbers get the locale's own signs for decimals and thousands."""

    def format_field(self, value: object, format_spec: str) -> str:
        written = super().format_field(value, format_spec)
        if not isinstance(value, int | float):
            return written
        locale = current.get().locale
        signs = {".": get_decimal_symbol(locale), ",": get_group_symbol(locale)}
        return written.translate(str.maketrans(signs))


_filled_in = _InLocale()


def gettext(text: str) -> str:
    """Return a text of the source in the current language."""
    return current.get().translations.gettext(text) if text else ""  # '' names the header


def ngettext(one: str, many: str, number: int) -> str:
    """Return the form that goes with a number."""
    return current.get().translations.ngettext(one, many, number)


def translated(text: str | None) -> str:
    """Return what a refusal, a notice or a name says in the current language, else as it is."""
    if not isinstance(text, Sentence) or not text.values:
        known = recognised(text) if text and current.get() is not ENGLISH else None
        return translated(known) if known else gettext(text or "")
    values = {
        name: translated(value) if isinstance(value, Sentence) else value
        for name, value in text.values.items()
    }
    return _filled_in.vformat(gettext(text.pattern), (), values)
