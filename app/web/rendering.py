"""Pages into HTML: Jinja2 with autoescape and StrictUndefined, static files under hashed names."""

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path

import jinja2
from starlette.responses import HTMLResponse

from app import __version__
from app.domain.browser_name import browser_name
from app.domain.scores import NAMES
from app.web.markdown import written
from app.web.pages import Page

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
SMALLEST_P = 0.001
UNDEFINED = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"  # a hyphen is easily lost before a digit


@cache
def static(path: str) -> str:
    """Return the address of a file in static/; it changes when the file does."""
    digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:16]
    return f"/static/{path}?v={digest}"


def _moment(value: datetime) -> str:
    return f"{value:%d %b %Y, %H:%M} UTC".lstrip("0")


def _percent(value: float | None) -> str:
    return UNDEFINED if value is None else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def _number(value: float | None, places: int = 3) -> str:
    if value is None:
        return UNDEFINED
    # A difference of -1e-17 is none, and "-0.000" would look like one.
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", MINUS)


def _p_value(value: float | None) -> str:
    if value is None:
        return UNDEFINED
    return "< 0.001" if value < SMALLEST_P else f"{value:.3f}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared: dict[str, object] = {
        "static": static,
        "names": NAMES,
        "software_version": __version__,
    }
    environment.globals.update(shared)  # pyright: ignore[reportArgumentType, reportCallIssue]
    environment.filters["written"] = written
    environment.filters["browser"] = browser_name
    environment.filters.update(moment=_moment, percent=_percent, number=_number, p_value=_p_value)
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
