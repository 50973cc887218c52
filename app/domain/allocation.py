"""The order in which a reader sees the cases.

The order of a reader is the study's cases sorted by SHA-256 of "seed:reader:case". It needs no
random number generator, so any language derives it again; it depends on neither truth, model nor
upload order; and a case added later never changes the order of those before it.
"""

import hashlib
import secrets
from collections.abc import Iterable
from uuid import UUID

ALGORITHM = "sha256-sort-1"


def new_seed() -> int:
    """Draw a seed for a study: 0 to 2**63 - 1, from the system's entropy."""
    return secrets.randbits(63)


def order_cases(cases: Iterable[UUID], *, seed: int, reader: UUID) -> list[UUID]:
    """Return the cases in the reader's order (algorithm sha256-sort-1)."""

    def key(case: UUID) -> bytes:
        return hashlib.sha256(f"{seed}:{reader}:{case}".encode()).digest()

    return sorted(cases, key=key)


def order_digest(cases: Iterable[UUID]) -> str:
    """SHA-256 of the ordered case ids, one a line: shown before the first read."""
    return hashlib.sha256("\n".join(str(case) for case in cases).encode()).hexdigest()
