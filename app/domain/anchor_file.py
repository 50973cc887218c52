"""Anchors kept outside in a text file: one head of a study's log a line, with its time.

2027-03-01T06:00:00+00:00 bcc-2027 1234:<64 hexadecimal digits>

Where the installation has a signing key, the signature follows as a fourth word.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from app.domain.audit_chain import Anchor
from app.domain.errors import InvalidInput, Problem

_ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")
_SIGNED = 4  # words of a line with a signature; one less without


@dataclass(frozen=True)
class KeptHead:
    """A line of the file: the head, the time beside it, and its signature or ''."""

    anchor: Anchor
    at: str
    signature: str


def parse_anchor(text: str) -> Anchor:
    """Read NUMBER:HASH; raises InvalidInput where it is none."""
    found = _ANCHOR.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text} is no anchor; it looks like 1234:<64 hexadecimal digits>.")
    return Anchor(int(found[1]), found[2])


def moment(at: datetime) -> str:
    """Write a time as it stands in the file."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def anchor_line(study: str, anchor: Anchor, *, at: datetime, signature: str = "") -> str:
    """Write a line of the file."""
    return f"{moment(at)} {study} {anchor.seq}:{anchor.hash} {signature}".rstrip() + "\n"


def read_anchors(text: str, *, study: str, name: str) -> tuple[KeptHead, ...]:
    """Return the anchors of one study; raises InvalidInput naming the first line that is wrong."""
    found: list[KeptHead] = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) not in {_SIGNED - 1, _SIGNED} or _ANCHOR.fullmatch(parts[2]) is None:
            sentence = "a line is TIME STUDY NUMBER:HASH, as `reread anchor` writes it"
            problem = Problem(name, number, None, sentence)
            raise InvalidInput(str(problem), (problem,))
        if parts[1] == study:
            signature = parts[3] if len(parts) == _SIGNED else ""
            found.append(KeptHead(parse_anchor(parts[2]), parts[0], signature))
    return tuple(found)
