"""What the pages of one's own account show, and those of a lost password."""

from dataclasses import dataclass
from typing import ClassVar

from app.db.accounts import AccountRow
from app.db.own_account import OwnSession
from app.domain.access import SHORTEST_PASSWORD
from app.web.pages import Page


@dataclass(frozen=True, kw_only=True)
class AccountPage(Page):
    """GET /account.

    Forms: POST /account/password (fields current, new), POST /account/sessions/{id}/ended, POST
    /account/sessions/ended.
    """

    template: ClassVar[str] = "account.html"
    shortest: ClassVar[int] = SHORTEST_PASSWORD
    sessions: list[OwnSession]


@dataclass(frozen=True, kw_only=True)
class LostPasswordPage(Page):
    """GET and POST /lost-password (field email); the answer is the same whoever exists."""

    template: ClassVar[str] = "lost_password.html"
    by_mail: bool  # else an administrator makes the link
    asked: bool = False


@dataclass(frozen=True, kw_only=True)
class NewPasswordPage(Page):
    """GET and POST /new-password/{token} (field password)."""

    template: ClassVar[str] = "new_password.html"
    shortest: ClassVar[int] = SHORTEST_PASSWORD
    token: str
    email: str


@dataclass(frozen=True, kw_only=True)
class HelpPage(Page):
    """GET /accounts/{id}: what an administrator does for somebody who cannot get in.

    Form: POST /accounts/{id}/reset.
    """

    template: ClassVar[str] = "account_help.html"
    account: AccountRow
    link: str | None = None  # shown once, right after it was made
