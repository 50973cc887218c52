"""What the pages of one's own account show, and those of a lost password."""

from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.db.accounts import AccountRow
from app.db.own_account import OwnSession
from app.db.passkeys import Passkey
from app.domain.access import SHORTEST_PASSWORD
from app.web.pages import Page


@dataclass(frozen=True, kw_only=True)
class AccountPage(Page):
    """GET /account.

    Forms: POST /account/password (fields current, new), POST /account/sessions/{id}/ended, POST
    /account/sessions/ended, POST /account/passkeys (fields answer, name), POST
    /account/passkeys/{id}/removed.
    """

    template: ClassVar[str] = "account.html"
    shortest: ClassVar[int] = SHORTEST_PASSWORD
    sessions: list[OwnSession]
    has_second_factor: bool
    passkeys: list[Passkey] | None  # None: this address can have none
    passkey_name: str = ""  # as typed, after a refusal


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

    Forms: POST /accounts/{id}/reset, POST .../second-factor/removed, POST .../provider/removed.
    """

    template: ClassVar[str] = "account_help.html"
    account: AccountRow
    has_second_factor: bool
    issuers: list[str]  # identity providers at which the account signs in
    link: str | None = None  # shown once, right after it was made


@dataclass(frozen=True, kw_only=True)
class CodePage(Page):
    """GET and POST /sign-in/code (fields code, next): the second factor, after the password."""

    template: ClassVar[str] = "sign_in_code.html"
    next: str = "/"


@dataclass(frozen=True, kw_only=True)
class SecondFactorPage(Page):
    """GET /account/second-factor.

    Forms: POST /account/second-factor (begin), POST .../confirmed (field code), POST .../removed
    (fields password, code).
    """

    template: ClassVar[str] = "second_factor.html"
    confirmed: bool = False
    left: int = 0  # recovery codes that were not used
    secret: str = ""  # being set up: shown as text and as a QR code
    qr: Markup | None = None  # an SVG without styles
    recovery: tuple[str, ...] = ()  # shown once
