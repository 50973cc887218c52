"""Who people are, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.domain.sentences import Sentence, said

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200


class AccountRole(StrEnum):
    """What an account is for; a person who is both has two accounts."""

    READER = "reader"
    COORDINATOR = "coordinator"
    MEMBER = "member"  # adjudicates or audits; neither reads nor coordinates
    ADMINISTRATOR = "administrator"  # the installation's accounts; no part in any study


class Part(StrEnum):
    """What a person does in one study; a person has one part in it, for good."""

    READER = "reader"
    COORDINATOR = "coordinator"
    ADJUDICATOR = "adjudicator"  # records the reference standard
    AUDITOR = "auditor"  # reads everything, changes nothing

    @property
    def new_account(self) -> AccountRole:
        """Return what an account is that is made for this part."""
        known = {Part.READER: AccountRole.READER, Part.COORDINATOR: AccountRole.COORDINATOR}
        return known.get(self, AccountRole.MEMBER)

    def suits(self, account: AccountRole) -> bool:
        """Say whether an account that exists can take the part."""
        if self in {Part.READER, Part.COORDINATOR}:
            return account is self.new_account
        return account is not AccountRole.ADMINISTRATOR


@dataclass(frozen=True)
class Account:
    """A person (or a simulated reader) as the rest of the program sees them: no secrets."""

    id: UUID
    email: str
    name: str
    role: AccountRole
    simulated: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", AccountRole(self.role))


def password_problem(password: str, *, email: str) -> Sentence | None:
    """Say what is wrong with a new password, or None."""
    if len(password) < SHORTEST_PASSWORD:
        return said(
            "The password has {length} characters; it needs {shortest} or more.",
            length=len(password),
            shortest=SHORTEST_PASSWORD,
        )
    if len(password) > LONGEST_PASSWORD:
        return said("The password is longer than {longest} characters.", longest=LONGEST_PASSWORD)
    if password.casefold() in {email.casefold(), email.split("@", maxsplit=1)[0].casefold()}:
        return said("The password must not be the e-mail address.")
    if len(set(password)) < 4:  # noqa: PLR2004 - "aaaaaaaaaaaa" and the like
        return said("The password repeats too few characters; use a sentence of your own.")
    return None
