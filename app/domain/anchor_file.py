"""Anchors kept outside in a text file: one head of a study's log a line, with its time.

2027-03-01T06:00:00+00:00 bcc-2027 1234:<64 hexadecimal digits>
"""

import re
from datetime import UTC, datetime

from app.domain.audit_chain import Anchor
from app.domain.errors import InvalidInput, Problem

_ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")
_PARTS = 3


def parse_anchor(text: str) -> Anchor:
    """Read NUMBER:HASH; raises InvalidInput where it is none."""
    found = _ANCHOR.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text} is no anchor; it looks like 1234:<64 hexadecimal digits>.")
    return Anchor(int(found[1]), found[2])


def anchor_line(study: str, anchor: Anchor, *, at: datetime) -> str:
    """Write a line of the file."""
    moment = at.astimezone(UTC).isoformat(timespec="seconds")
    return f"{moment} {study} {anchor.seq}:{anchor.hash}\n"


def read_anchors(text: str, *, study: str, name: str) -> tuple[Anchor, ...]:
    """Return the anchors of one study; raises InvalidInput naming the first line that is wrong."""
    found: list[Anchor] = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != _PARTS or _ANCHOR.fullmatch(parts[2]) is None:
            sentence = "a line is TIME STUDY NUMBER:HASH, as `reread anchor` writes it"
            problem = Problem(name, number, None, sentence)
            raise InvalidInput(str(problem), (problem,))
        if parts[1] == study:
            found.append(parse_anchor(parts[2]))
    return tuple(found)
