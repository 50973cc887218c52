"""Reporting checklists, filled from the study's own settings and data where they know the answer.

Each list is a text file beside this module: a title, remarks, and lines of item number, our own
short words for the item's topic, and what the study says (empty: a person has to write it).
"""

from dataclasses import dataclass
from importlib.resources import files as resources

from app.actions.pack import methods
from app.domain.study_facts import StudyFacts

NAMES = ("stard-ai", "claim", "consort-ai", "decide-ai")
BY_AUTHORS = "**To be written by the authors.**"

# What an item may take from the study: the sentences of the methods text, and where more stands.
_SENTENCES = {
    "design": methods.design,
    "readers": methods.readers,
    "cases": methods.cases,
    "reference": methods.reference_standard,
    "allocation": methods.allocation,
    "model": methods.model,
    "reading": methods.reading,
    "statistics": methods.statistics,
    "missing": methods.missing,
    "software": methods.software,
    "errors": methods.where_errors_are,
    "effects": methods.where_effects_are,
    "agreement": methods.where_agreement_is,
}


@dataclass(frozen=True)
class Item:
    """One item: its number in the published list, its topic in our words, the study's answer."""

    number: str
    topic: str
    answer: str


def checklist(name: str, facts: StudyFacts) -> str:
    """Return a checklist as Markdown."""
    title, remarks, items = read_checklist(name)
    said = {key: say(facts) for key, say in _SENTENCES.items()}
    rows = [f"| {item.number} | {item.topic} | {_answer(item.answer, said)} |" for item in items]
    written = sum(bool(item.answer) for item in items)
    return (
        f"# {title}\n\n{remarks}\n\nThe topics are in our own words; the published list holds the "
        f"wording. The study itself answers {written} of {len(items)} items, in full or in "
        "part. Numbers in square brackets are the references of methods.md.\n\n"
        "| item | topic | what the study says |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def read_checklist(name: str) -> tuple[str, str, tuple[Item, ...]]:
    """Return the title, the remarks and the items of a list."""
    text = resources(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    head, _, body = text.partition("\n---\n")
    title, _, remarks = head.partition("\n")
    lines = [line.split("|") for line in body.splitlines() if line.strip()]
    items = tuple(Item(*(part.strip() for part in parts)) for parts in lines)
    return title, " ".join(remarks.split()), items


def _answer(template: str, said: dict[str, str]) -> str:
    if not template:
        return BY_AUTHORS
    answer = template.format_map(said).replace("[authors]", BY_AUTHORS)
    return " ".join(answer.split()).replace("|", "\\|")
