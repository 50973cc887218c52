"""A page as a browser takes it apart: its forms with their hidden fields, and the room's state."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

ROOM = re.compile(r'id="room" data-state="(\w+)"')


@dataclass
class Form:
    """Where a form goes, and what is filled in already."""

    action: str
    values: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.found.append(Form(given.get("action") or ""))
        elif tag == "input" and given.get("type") == "hidden" and self.found:
            self.found[-1].values[given.get("name") or ""] = given.get("value") or ""


def forms(html: str) -> list[Form]:
    """Every form of a page."""
    parser = _Forms()
    parser.feed(html)
    return parser.found


def state(html: str) -> str:
    """The state of the reading room: served, locked, revealed, between, start, over; or ''."""
    found = ROOM.search(html)
    return found[1] if found else ""


def form_ending(html: str, *endings: str) -> Form | None:
    """The first form whose address ends so."""
    return next((form for form in forms(html) if form.action.endswith(endings)), None)
