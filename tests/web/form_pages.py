"""Forms as a screen reader meets them: each field, its label, its help, and what was refused."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"input", "img", "br", "meta", "link", "hr", "line", "circle", "rect", "path"}


@dataclass
class Field:
    """One field of a page."""

    name: str
    attributes: dict[str, str]
    inside: list[str] = field(default_factory=list[str])  # words of the label around it

    @property
    def is_choice(self) -> bool:
        """A tick whose own label is a sentence."""
        return self.attributes.get("type") in {"checkbox", "radio"}


class FormPage(HTMLParser):
    """The fields of a page, and the words of everything that has an id or is a label."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: list[Field] = []
        self.words: dict[str, str] = {}  # id -> text
        self.labels: dict[str, str] = {}  # id of a field -> text of its label
        self.doubled: list[str] = []  # ids that stand twice
        self.forms: list[str] = []  # action of each form, in order
        self._open: list[tuple[str, str, str]] = []  # tag, id, for
        self._in_label: list[Field] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if identity := found.get("id", ""):
            if identity in self.words:
                self.doubled.append(identity)
            self.words.setdefault(identity, "")
        if tag in {"input", "select", "textarea"} and found.get("type") != "hidden":
            made = Field(found.get("name", ""), found)
            self.fields.append(made)
            if any(each[0] == "label" for each in self._open):
                self._in_label.append(made)
        if tag not in VOID:
            self._open.append((tag, identity, found.get("for", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            last = self._open.pop()[0]
            if last == "label":
                self._in_label = []
            if last == tag:
                return

    def handle_data(self, data: str) -> None:
        for tag, identity, target in self._open:
            if identity:
                self.words[identity] += data
            if tag == "label" and target:
                self.labels[target] = self.labels.get(target, "") + data
        for each in self._in_label:
            each.inside.append(data)

    def label_of(self, field: Field) -> str:
        """The field's name as it is read out; '' where it has none."""
        given = field.attributes.get("aria-label", "")
        around = "".join(field.inside)
        return (given or self.labels.get(field.attributes.get("id", ""), "") or around).strip()

    def help_of(self, field: Field) -> str:
        """What is read out after it; raises KeyError for an id that is not on the page."""
        ids = field.attributes.get("aria-describedby", "").split()
        return " ".join(self.words[each].strip() for each in ids).strip()

    def refused(self) -> dict[str, str]:
        """The fields marked as wrong, by name, with what is read out after each."""
        wrong = [each for each in self.fields if each.attributes.get("aria-invalid") == "true"]
        return {each.name: self.help_of(each) for each in wrong}
