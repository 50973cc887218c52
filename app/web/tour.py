"""The tour of the demonstration: its people, its stops, and what of it the page asked for shows.

Every word of it is fixed before anybody reads: a stop knows no study, no case and no reading.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from app.domain.access import Account, AccountRole


@dataclass(frozen=True)
class DemoPerson:
    """Somebody with a printed password, and what can be done in their place."""

    email: str
    name: str
    role: AccountRole
    can: str  # one sentence


@dataclass(frozen=True)
class Stop:
    """One step of the tour: a page that is there anyway, and what to look at on it."""

    path: str
    person: DemoPerson  # who sees the page
    of: str  # whose question it answers: a dermatologist's, a statistician's ...
    title: str
    text: str


@dataclass(frozen=True)
class Tour:
    """All of it. `password` is that of every person, and no secret."""

    people: Sequence[DemoPerson]
    password: str
    stops: Sequence[Stop]

    def number_at(self, path: str) -> int | None:
        """Return the number, from 1, of the stop on that page."""
        return next((n for n, stop in enumerate(self.stops, start=1) if stop.path == path), None)


@dataclass(frozen=True)
class Touring:
    """What the tour has to say on the page that is being made."""

    tour: Tour
    number: int | None  # of the stop on this page
    ended: bool  # whoever ended the tour sees no more of it until they open its page

    @property
    def stop(self) -> Stop | None:
        """Return the stop on this page."""
        return None if self.number is None else self.tour.stops[self.number - 1]

    @property
    def following(self) -> Stop | None:
        """Return the stop after this one; None after the last."""
        rest = self.tour.stops[self.number or 0 :]
        return rest[0] if rest else None

    def shown_to(self, viewer: Account | None) -> bool:
        """Say whether the stop is this person's; a refusal has no viewer, and so no stop."""
        if self.stop is None or self.ended or viewer is None:
            return False
        return self.stop.person.role is viewer.role


# Set once a request in a demonstration (app/web/routes/tour.py); None everywhere else.
touring: ContextVar[Touring | None] = ContextVar("touring", default=None)
