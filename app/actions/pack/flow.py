"""The flow of cases and readings through the study: as text, and as a drawing (SVG)."""

from dataclasses import dataclass
from html import escape

from app.actions.pack.methods import count
from app.domain.study_facts import ReaderFacts, StudyFacts, result

_LINE, _PAD, _GAP, _WIDTH, _SIDE = 20, 12, 34, 400, 300
_PER_LINE = 44  # characters of a reason that fit
_APART = {
    "training": "of training cases",
    "excluded_case": "of excluded cases",
    "call_before_ai": "before the AI was shown",
    "repeat_alone": "repeats without a first reading",
}


@dataclass(frozen=True)
class Box:
    """A step of the flow, and what left at it."""

    lines: tuple[str, ...]
    left: tuple[str, ...] = ()


def flow_boxes(facts: StudyFacts) -> tuple[Box, ...]:
    """Return the steps from import to analysis."""
    truth = ", ".join(f"{number:,} {name}" for name, number in facts.truth.items())
    left = [f"{row.case}: {row.reason}" for row in facts.excluded if row.brought_back is None]
    out = [f"Excluded: {count(len(left), 'case')}", *left] if left else []
    back = [row for row in facts.excluded if row.brought_back is not None]
    if back:
        times = count(len(back), "exclusion was undone", "exclusions were undone")
        out.append(f"{times}, not left here:")
        out += [f"{row.case}: {row.reason}; undone: {row.brought_back}" for row in back]
    if facts.never_added:
        out.append(
            f"Imported while the study was open, never added: {count(facts.never_added, 'case')}"
        )
    if facts.training:
        out.append(f"Training, not counted: {count(facts.training, 'case')}")
    per_reader = [_read(reader) for reader in facts.readers]
    calls = sum(reader.unaided + reader.aided for reader in facts.readers)
    per_reader.append(f"Together: {count(calls, 'call')} locked")
    if facts.design != "sequential":
        per_reader.append(
            f"Planned: {count(facts.with_ai, 'place')} with AI, {facts.without_ai:,} without, that "
            "count"
        )
    never = [line for reader in facts.readers if (line := _not_read(reader, facts.design))]
    apart = [(why, number) for why, number in facts.uncounted if why != "void"]
    if apart:
        never.append(f"Not counted: {count(sum(number for _, number in apart), 'call')}")
        never += [f"{_APART[why]}: {number:,}" for why, number in apart]
    void = sum(kind == "void" for kind, _ in facts.corrections)
    if void:
        kept = facts.study.get("analysed_readings", "corrected") == "original"
        but = ", analysed as locked" if kept else ""
        never.append(f"Voided: {count(void, 'reading')}{but}")
    return (
        Box((f"Imported: {count(facts.cases, 'case')} ({truth})",), tuple(out)),
        Box((f"Read by {count(len(facts.readers), 'reader')}", *per_reader), tuple(never)),
        Box(_analysed(facts)),
    )


def _analysed(facts: StudyFacts) -> tuple[str, ...]:
    if result(facts, "data", "rows") is None:
        return ("Analysed: nothing",)
    rows, readers, cases, events, others = (
        int(result(facts, "data", name))
        for name in ("rows", "readers", "cases", "positives", "negatives")
    )
    classes = f"{events:,} {result(facts, 'positive')}, {others:,} {result(facts, 'negative')}"
    return (
        f"Analysed: {count(rows, 'reading')}",
        f"{count(readers, 'reader')}, {count(cases, 'case')}: {classes}",
    )


def _read(reader: ReaderFacts) -> str:
    simulated = " (simulated)" if reader.simulated else ""
    numbers = f"{reader.assigned} assigned, {reader.unaided} unaided, {reader.aided} revised"
    return f"{reader.code}{simulated}: {numbers}"


def _not_read(reader: ReaderFacts, design: str) -> str:
    """Say what a reader left out; only in a sequential study every call is to be revised."""
    never = reader.assigned - reader.unaided
    half = reader.unaided - reader.aided if design == "sequential" else 0
    parts = [f"{never} never called"] if never else []
    parts += [f"{half} without revised call"] if half else []
    return f"{reader.code}: {', '.join(parts)}" if parts else ""


def flow_text(facts: StudyFacts) -> str:
    """Return flow.md."""
    parts: list[str] = []
    for box in flow_boxes(facts):
        first, *rest = box.lines
        parts.append("\n".join([f"**{first}**", "", *(f"- {line}" for line in rest)]).rstrip())
        if box.left:
            parts.append("\n".join(["Left here:", "", *(f"- {line}" for line in box.left)]))
    return "# Flow of cases and readings\n\n" + "\n\n".join(parts) + "\n"


def flow_svg(facts: StudyFacts) -> str:
    """Return flow.svg: the steps from top to bottom, what left at each to its right."""
    top, parts = 10, list[str]()
    boxes = flow_boxes(facts)
    for number, box in enumerate(boxes):
        height = max(_height(box.lines), _height(box.left))
        parts.append(_drawn(10, top, _WIDTH, height, box.lines))
        if box.left:
            at = 10 + _WIDTH + 40
            middle = top + height // 2
            parts.append(_arrow(10 + _WIDTH, middle, at, middle))
            parts.append(_drawn(at, top, _SIDE, height, box.left))
        if number < len(boxes) - 1:
            centre = 10 + _WIDTH // 2
            parts.append(_arrow(centre, top + height, centre, top + height + _GAP))
        top += height + _GAP
    width = 10 + _WIDTH + 40 + _SIDE + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
        f'viewBox="0 0 {width} {top}" font-family="sans-serif" font-size="13">\n'
        "<title>Flow of cases and readings</title>\n"
        '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 Z"/></marker></defs>\n'
        f'<rect width="{width}" height="{top}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _height(lines: tuple[str, ...]) -> int:
    return 2 * _PAD + _LINE * len(lines) if lines else 0


def _drawn(x: int, y: int, width: int, height: int, lines: tuple[str, ...]) -> str:
    weights = ("600", *["400"] * len(lines))
    texts = "".join(
        f'<text x="{x + _PAD}" y="{y + _PAD + 14 + _LINE * number}" '
        f'font-weight="{weights[number]}">{escape(_short(line, width))}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="none" stroke="#000000"/>'
        f"{texts}"
    )


def _short(line: str, width: int) -> str:
    most = _PER_LINE * width // _SIDE
    plain = "".join(character if character.isprintable() else " " for character in line)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#000000" marker-end="url(#head)"/>'
    )
