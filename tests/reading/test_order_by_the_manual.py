"""Every order derived by what docs/export.md says alone: nothing here imports the allocation."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from app.actions.amend_study import exclude_case
from app.actions.draw_orders import enrol_reader
from app.db.administrator import records_of
from app.db.session import Role
from tests.conftest import Cast
from tests.reading.additions import bring_more
from tests.reading.designs import DESIGNS, add_training, opened
from tests.reading.steps import exclude, superuser

Row = dict[str, Any]
Place = tuple[str, str, int, int]  # case, arm, session, occasion


def h(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def by(prefix: str, cases: Iterable[str]) -> list[str]:
    return sorted(cases, key=lambda case: h(f"{prefix}:{case}"))


def arm_of(study: Row, place: int, number: int, session: int, count: int) -> str:
    if study["design"] == "hidden_share":
        share = (2 * count * study["unaided_only_percent"] + 100) // 200
        share = min(max(1, share), count // 2)
        return "without_ai" if (place - (number - 1) * share) % count < share else "with_ai"
    if study["design"] == "crossover":
        return "with_ai" if (place + number + session) % 2 else "without_ai"
    if study["design"] == "parallel":
        bit = int(h(f"{study['seed']}:arm:{(number - 1) // 2}")[0], 16) // 8
        return "with_ai" if bit == (number - 1) % 2 else "without_ai"
    return "with_ai"


@dataclass
class Log:
    """What the events have told so far."""

    study: Row = field(default_factory=dict[str, Any])
    cases: dict[str, Row] = field(default_factory=dict[str, Row])
    added: int = 0
    never_in: set[str] = field(default_factory=set[str])
    left_out: set[str] = field(default_factory=set[str])
    draws: dict[str, Row] = field(default_factory=dict[str, Row])

    def order(self, addition: int, reader: str) -> list[Place]:
        seed, number = self.draws[reader]["seed"], self.draws[reader]["reader_number"]
        part = [c for c, row in self.cases.items() if row["addition"] == addition]
        part = [case for case in part if case not in self.never_in]
        training = [c for c in part if self.cases[c]["purpose"] == "training"]
        counted = [c for c in part if c not in training]
        live = [case for case in counted if case not in self.left_out]
        place = {case: k for k, case in enumerate(by(f"{seed}:ring", counted))}
        repeats = [] if addition else by(f"{seed}:repeat", live)[: self.study["repeats"]]
        parallel = self.study["design"] == "parallel"
        of_training = arm_of(self.study, 0, number, 1, len(place)) if parallel else "with_ai"
        order = [(case, of_training, 1, 1) for case in by(f"{seed}:order:1:1:{reader}", training)]
        for session in (1, 2) if self.study["design"] == "crossover" else (1,):
            for occasion, some in ((1, live), (2, repeats)):
                for case in by(f"{seed}:order:{session}:{occasion}:{reader}", some):
                    arm = arm_of(self.study, place[case], number, session, len(place))
                    order.append((case, arm, session, occasion))
        return order


def digest(order: list[Place], first: int = 1) -> str:
    lines = [f"{n},{','.join(map(str, place))}" for n, place in enumerate(order, start=first)]
    return h("\n".join(lines))


def derived(events: Iterable[tuple[str, Row]]) -> dict[str, list[Place]]:
    """Derive every order, and compare each digest on the way."""
    log, orders = Log(), dict[str, list[Place]]()
    for action, row in events:
        if action in {"study.insert", "study.update"}:
            log.study = row.get("new", row)
        elif action == "study_case.insert":
            log.cases[row["id"]] = row
        elif action == "case_addition.insert":
            log.added = row["number"]
        elif action == "case_exclusion.insert":
            case = row["case_id"]
            waits = log.study["state"] == "draft" or log.cases[case]["addition"] > log.added
            (log.never_in if waits else log.left_out).add(case)
        elif action == "allocation.insert":
            reader = row["reader_id"]
            log.draws[reader] = row
            orders[reader] = log.order(0, reader)
            assert digest(orders[reader]) == row["order_sha256"]
        elif action == "order_extension.insert":
            reader = row["reader_id"]
            part = log.order(row["number"], reader)
            assert row["first_position"] == len(orders[reader]) + 1
            assert digest(part, row["first_position"]) == row["order_sha256"]
            orders[reader] += part
    return orders


@pytest.mark.parametrize("name", DESIGNS)
def test_d7_the_manual_is_enough_to_derive_every_order_with_a_program_of_ones_own(
    draft: Cast, name: str
) -> None:
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        about = {"case_code": "c005", "reason": "No lesion.", "by": draft.cora}
        exclude_case(connection, study=draft.study, **about)
    add_training(draft)
    cast = opened(draft, replace(DESIGNS[name], repeats=2))
    exclude(cast)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        enrol_reader(connection, study=cast.study.id, reader=cast.olga.id)
    cast = bring_more(cast, 5)
    records = records_of(cast.database.url, "bcc-sk")
    assert records is not None
    orders = derived((event.action, json.loads(event.payload)) for event in records.events)
    with superuser(cast) as owner:
        stored = owner.execute(
            """SELECT reader_id, case_id, arm, session, occasion FROM assignment
               ORDER BY reader_id, position"""
        ).fetchall()
    assert len(orders) == 3
    for reader, order in orders.items():
        assert order == [(str(c), *rest) for r, c, *rest in stored if str(r) == reader]
