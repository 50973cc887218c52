"""Which cases a reader sees, in which order, and whether with AI.

Everything follows from SHA-256 of texts of the form "seed:word:...", so no random number generator
is needed and any language derives it again. It depends on neither truth, model nor upload order.

sha256-sort-1 (studies of the first release, sequential): the cases sorted by "seed:reader:case".
sha256-design-1 (all designs): training cases first, then the counted cases, then the repeats; in a
crossover all but the training a second time. Within each part the cases are sorted by
"seed:order:session:occasion:reader:case". Arms come from a ring of the counted cases, sorted by
"seed:ring:case", on which the reader's number, 1, 2, ... in the order of drawing, is a step:

- hidden_share: of C cases on the ring the share m is withheld; reader n gets the m places from
  (n - 1) * m on. So each reader has m, each case as often as any other within one, and two readers
  are enough for every case to be read with AI.
- crossover: place k and reader n have AI in session 1 where k + n is even, else in session 2.
- parallel: readers 2p + 1 and 2p + 2 are in different arms; the first bit of "seed:arm:p" says
  which of them has AI.

Cases added to an open study are appended: what was drawn stays, and behind it comes the order of
the added cases alone, drawn by the same algorithm on a ring of their own, without repeats. A reader
who joins later gets the same parts in the same sequence.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from app.domain.study_design import Arm, Design

FIRST_ALGORITHM = "sha256-sort-1"
ALGORITHM = "sha256-design-1"
ALGORITHMS = frozenset({FIRST_ALGORITHM, ALGORITHM})


@dataclass(frozen=True)
class Assigned:
    """One case before one reader: occasion 2 is the repeat."""

    case: UUID
    arm: Arm = "with_ai"
    session: int = 1
    occasion: int = 1


@dataclass(frozen=True)
class Plan:
    """What all orders of a study are drawn from.

    `training` and `counted` are the cases at opening; `left_out` were excluded since: they keep
    their place on the ring and are in no order drawn afterwards.
    """

    algorithm: str
    seed: int
    design: Design
    unaided_only_percent: int
    repeats: int
    training: frozenset[UUID]
    counted: frozenset[UUID]
    left_out: frozenset[UUID] = frozenset()


def plan_of_addition(plan: Plan, added: frozenset[UUID]) -> Plan:
    """Return what an addition's part of every order is drawn from: its own cases alone."""
    return replace(plan, training=frozenset(), counted=added, repeats=0)


def new_seed() -> int:
    """Draw a seed for a study: 0 to 2**63 - 1, from the system's entropy."""
    return secrets.randbits(63)


def allocate(plan: Plan, *, reader: UUID, number: int | None) -> list[Assigned]:
    """Return the reader's order by the plan's algorithm; `number` is the reader's, from 1.

    Raises ValueError for an algorithm that this version does not know, or without the number.
    """
    cases = (plan.training | plan.counted) - plan.left_out
    if plan.algorithm == FIRST_ALGORITHM:
        return [Assigned(case) for case in order_cases(cases, seed=plan.seed, reader=reader)]
    if plan.algorithm != ALGORITHM or number is None:
        raise ValueError(f"no order is drawn by {plan.algorithm} for reader number {number}")
    ring = _sorted(plan.counted, f"{plan.seed}:ring")
    places = {case: place for place, case in enumerate(ring)}
    repeated = set(_sorted(plan.counted - plan.left_out, f"{plan.seed}:repeat")[: plan.repeats])
    order = [
        Assigned(case, _arm_of_reader(plan, number))
        for case in _sorted(plan.training - plan.left_out, f"{plan.seed}:order:1:1:{reader}")
    ]
    for session in (1, 2) if plan.design == "crossover" else (1,):
        for occasion, part in ((1, plan.counted - plan.left_out), (2, repeated)):
            prefix = f"{plan.seed}:order:{session}:{occasion}:{reader}"
            order += [
                Assigned(case, _arm(plan, places[case], number, session), session, occasion)
                for case in _sorted(part, prefix)
            ]
    return order


def _arm(plan: Plan, place: int, number: int, session: int) -> Arm:
    """Return the arm of the counted case at a place of the ring, before reader `number`."""
    if plan.design == "hidden_share":
        cases = len(plan.counted)
        share = hidden_cases(cases, plan.unaided_only_percent)
        hidden = (place - (number - 1) * share) % cases < share
        return "without_ai" if hidden else "with_ai"
    if plan.design == "crossover":
        return "with_ai" if (place + number + session) % 2 else "without_ai"
    return _arm_of_reader(plan, number)


def _arm_of_reader(plan: Plan, number: int) -> Arm:
    if plan.design != "parallel":
        return "with_ai"
    pair, second = divmod(number - 1, 2)
    bit = _digest(f"{plan.seed}:arm:{pair}")[0] >> 7
    return "with_ai" if bit == second else "without_ai"


def hidden_cases(cases: int, percent: int) -> int:
    """Return how many of a reader's counted cases are withheld: at least one, at most half."""
    return min(max(1, (cases * percent + 50) // 100), cases // 2)


def order_sha256(order: Iterable[Assigned], algorithm: str, *, first: int = 1) -> str:
    """SHA-256 of the order, one line an assignment: shown before the first read.

    A line is "position,case,arm,session,occasion"; the case alone in sha256-sort-1. `first` is the
    position of the first line: an appended part begins behind what was drawn before.
    """
    lines = (
        str(entry.case)
        if algorithm == FIRST_ALGORITHM
        else f"{position},{entry.case},{entry.arm},{entry.session},{entry.occasion}"
        for position, entry in enumerate(order, start=first)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def order_cases(cases: Iterable[UUID], *, seed: int, reader: UUID) -> list[UUID]:
    """Return the cases in the reader's order (algorithm sha256-sort-1)."""
    return _sorted(cases, f"{seed}:{reader}")


def _sorted(cases: Iterable[UUID], prefix: str) -> list[UUID]:
    return sorted(cases, key=lambda case: _digest(f"{prefix}:{case}"))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
