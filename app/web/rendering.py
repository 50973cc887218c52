"""Pages into HTML: Jinja2 with autoescape and StrictUndefined, static files under hashed names."""

import hashlib
import json
import re
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup
from starlette.responses import HTMLResponse

from app import __version__
from app.domain.browser_name import browser_name
from app.domain.scores import NAMES
from app.domain.sentences import Sentence
from app.domain.study_states import state_in_words
from app.languages.catalogues import offered
from app.languages.current import current, gettext, here, ngettext, translated
from app.web import formats
from app.web.markdown import written
from app.web.pages import Page
from app.web.tour import touring

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
_INDENTATION = re.compile(r"\n\s+")


@cache
def static(path: str) -> str:
    """Return the address of a file in static/; it changes when the file does."""
    digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:16]
    return f"/static/{path}?v={digest}"


def _script_texts() -> str:
    """Return what scripts say in the current language as JSON; '' in English, which they hold."""
    texts = current.get().script_texts
    return json.dumps(texts, ensure_ascii=False) if texts else ""


def _field(problem: str | None) -> str:
    """Return which field of its form a refusal speaks of; '' where of none."""
    return (problem.field or "") if isinstance(problem, Sentence) else ""


def place_of(where: str) -> str:
    """Return the place of a remark among the results; names that are not ours stay as they are."""
    places = where.replace("_", " ").split("; ")
    return gettext("; ").join(
        gettext(", ").join(translated(name) for name in place.split(", ")) for place in places
    )


def _begun(text: str) -> str:
    """Return a text as it begins a line; unlike `capitalize`, what follows stays: AUC, AI."""
    return text[:1].upper() + text[1:]


def _unindented(html: str) -> Markup:
    """Return a part of a page without indentation; it holds no text whose lines count."""
    return Markup(_INDENTATION.sub("\n", html))  # noqa: S704 - made by a template, only shortened


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        auto_reload=False,  # a process keeps the templates it began with
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        gettext, ngettext, newstyle=True
    )
    shared: dict[str, object] = {
        "static": static,
        "names": NAMES,
        "software_version": __version__,
        "language": current.get,
        "languages": offered,
        "here_now": here.get,
        "script_texts": _script_texts,
        "tour": touring.get,
    }
    environment.globals.update(shared)  # pyright: ignore[reportArgumentType, reportCallIssue]
    environment.filters["written"] = written
    environment.filters["unindented"] = _unindented
    environment.filters["browser"] = browser_name
    environment.filters["translated"] = translated
    environment.filters["place"] = place_of
    environment.filters["begun"] = _begun
    environment.filters["state_word"] = state_in_words
    environment.filters.update(
        field=_field,
        moment=formats.moment,
        percent=formats.percent,
        number=formats.number,
        p_value=formats.p_value,
    )
    return environment


_templates = _environment()


def render(page: Page, *, status: int = 200) -> HTMLResponse:
    """Answer with a whole page."""
    html = _templates.get_template(page.template).render(page=page)
    return HTMLResponse(html, status_code=status)


def render_block(page: Page, block: str) -> HTMLResponse:
    """Answer with one block of a page's template, for htmx to swap in."""
    template = _templates.get_template(page.template)
    context = template.new_context({"page": page})
    return HTMLResponse("".join(template.blocks[block](context)))
