"""The language of the request that is being answered, and what is said in it."""

from contextvars import ContextVar

from app.domain.sentences import Sentence
from app.languages.catalogues import ENGLISH, Language
from app.languages.elsewhere import recognised

# Set once a request, by app/web/languages.py; a program without requests speaks English.
current: ContextVar[Language] = ContextVar("language", default=ENGLISH)
# The page asked for, to come back to after another language is chosen.
here: ContextVar[str] = ContextVar("here", default="/")


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
    return gettext(text.pattern).format(**values)
