"""Cases that come to an open study: they wait until all is there, then one act appends them.

The act is an amendment with its reason: a version of the protocol, and a further part of every
reader's order behind what was drawn before. The database holds each condition again.
"""

from dataclasses import dataclass

from app.actions.check_seen_before import SeenBefore, look_for_seen_before
from app.actions.design_study import NotReady
from app.actions.draw_orders import draw_missing_orders
from app.db import additions, allocations, studies
from app.db.session import Connection
from app.db.studies import Study, StudyCounts
from app.domain.access import Account
from app.domain.reasons import checked_reason
from app.domain.sentences import said


@dataclass(frozen=True)
class Waiting:
    """The cases of an open study that wait to be added, and what they lack."""

    counts: StudyCounts
    seen: SeenBefore | None  # None: not all are scored yet, so nothing was compared

    @property
    def scored(self) -> bool:
        """Say whether every image and case has its prediction."""
        counts = self.counts
        return counts.images == counts.scored_images and counts.cases == counts.scored_cases

    @property
    def ready(self) -> bool:
        """Say whether they can be added now."""
        return (
            self.counts.cases > 0
            and self.scored
            and self.counts.undiagnosed == 0
            and self.seen is not None
            and not self.seen.must_be_acknowledged
        )


def waiting_cases(connection: Connection, *, study: Study) -> Waiting:
    """Return what waits to be added, and how far it is."""
    counts = studies.counts_of(connection, study.id, waiting=True)
    scored = 0 < counts.images == counts.scored_images
    return Waiting(counts, look_for_seen_before(connection, study=study) if scored else None)


def add_cases(connection: Connection, *, study: Study, reason: str, by: Account) -> None:
    """Append the cases that wait to every reader's order, with a reason.

    Raises InvalidInput without a reason; NotReady, saying what is missing; Conflict unless the
    study is open.
    """
    del by  # the connection's actor, whom the database records
    reason = checked_reason(reason, said("Say why the cases are added, in 1 to 2,000 characters."))
    if study.state == "open":
        _refuse_unready(waiting_cases(connection, study=study))
    allocations.draw_alone(connection, study.id)
    additions.insert_addition(connection, study.id, reason=reason)
    draw_missing_orders(connection, study=study.id)


def _refuse_unready(found: Waiting) -> None:
    if found.counts.cases == 0:
        raise NotReady("No cases wait to be added: import them first.")
    if not found.scored:
        missing = found.counts.images - found.counts.scored_images
        raise NotReady(
            said(
                "{missing} of {images} images have no prediction yet. Cases are added only when "
                "each has its prediction, so that none stands out.",
                missing=missing,
                images=found.counts.images,
            )
        )
    if found.counts.undiagnosed:
        raise NotReady(
            said(
                "{missing} of {cases} cases have no diagnosis yet: an adjudicator records it "
                "first.",
                missing=found.counts.undiagnosed,
                cases=found.counts.cases,
            )
        )
    if found.seen is not None and found.seen.must_be_acknowledged:
        raise NotReady(
            said(
                "{matches} pictures or patients have been seen before. Look at them, and say why "
                "they may stay; then the cases can be added.",
                matches=len(found.seen.matches),
            )
        )
