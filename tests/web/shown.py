"""What a page shows: its texts, and the attributes that are read out or shown on hovering."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

UNSEEN = frozenset({"script", "style", "noscript", "template", "metadata", "defs"})
VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track"}
    | {"wbr", "path", "circle", "line", "use"}
)
SHOWN = ("aria-label", "aria-description", "aria-valuetext", "title", "placeholder", "alt")


@dataclass
class _Reader(HTMLParser):
    kept: frozenset[str]
    but_lang: str | None = None
    found: list[str] = field(default_factory=list)
    open: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        classes = set((given.get("class") or "").split())
        left_out = tag in UNSEEN or tag in self.kept or bool(classes & self.kept)
        left_out = left_out or (self.but_lang is not None and given.get("lang") == self.but_lang)
        left_out = left_out or any(out for _, out in self.open)
        if not left_out:
            self.found += [given[name] or "" for name in SHOWN if name in given]
            if tag == "input" and given.get("type") in {"submit", "button"}:
                self.found.append(given.get("value") or "")
        if tag not in VOID:
            self.open.append((tag, left_out))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        names = [name for name, _ in self.open]
        if tag in names:
            del self.open[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(out for _, out in self.open):
            self.found.append(" ".join(data.split()))


def texts_of(
    page: str, *, kept: frozenset[str] = frozenset(), but_lang: str | None = None
) -> list[str]:
    """Give every text of an HTML document but those in elements or classes of `kept`.

    What says of itself that it is in the language `but_lang` is left out too.
    """
    reader = _Reader(kept, but_lang)
    reader.feed(page)
    reader.close()
    return [text for text in reader.found if text.strip()]
