"""The texts of a pack: methods, flow, checklists. They follow from its other files alone."""

from collections.abc import Iterator

from app.actions.pack.checklists import NAMES, checklist
from app.actions.pack.flow import flow_svg, flow_text
from app.actions.pack.methods import methods_text
from app.domain.study_facts import StudyFacts

TEXTS = frozenset({"methods.md", "flow.md", "flow.svg", *(f"checklists/{n}.md" for n in NAMES)})


def texts_of(facts: StudyFacts) -> Iterator[tuple[str, str]]:
    """Give every text under its name."""
    yield "methods.md", methods_text(facts)
    yield "flow.md", flow_text(facts)
    yield "flow.svg", flow_svg(facts)
    for name in NAMES:
        yield f"checklists/{name}.md", checklist(name, facts)
