"""Accounts from the command line."""

import argparse
import getpass
import sys
from datetime import UTC, datetime

from app.actions.manage_accounts import add_account
from app.actions.manage_own_account import make_reset_for
from app.db import accounts
from app.db.administrator import erase_person as erase
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.domain.errors import InvalidInput, NotFound
from app.running import Running, running
from app.settings import Settings


def add_user(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make an account; the password is asked for, or read from standard input."""
    with running(settings) as on, on.database.begin(Role.ACCOUNT, actor=None) as connection:
        made = add_account(
            connection,
            email=arguments.email,
            name=arguments.name,
            role=AccountRole(arguments.role),
            password=_password(),
        )
    print(f"There is now an account for {made.email} ({made.role}).")
    return 0


def reset_password(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print a link with which somebody sets a new password."""
    now = datetime.now(UTC)
    with running(settings) as on:
        token = make_reset_for(on.database, email=arguments.email, now=now)
    if token is None:
        raise NotFound(f"No person has an account for {arguments.email}, or it is disabled.")
    address = settings.public_url or arguments.address.rstrip("/")
    print(f"This link sets a new password for {arguments.email}, once, for an hour:")
    print(f"{address}/new-password/{token}")
    return 0


def erase_person(arguments: argparse.Namespace, settings: Settings) -> int:
    """Remove name and address of a person from tables and log; the readings stay."""
    with running(settings) as on:
        done = erase(on.administrator_url, email=arguments.email, reason=arguments.reason)
    if not done:
        raise NotFound(f"There is no account with the address {arguments.email}.")
    print(
        "Name, e-mail address and network addresses are gone from the database and its log; the "
        "readings stay under the account's number. Backups and files exported before still hold "
        "what they held."
    )
    return 0


def find_coordinator(on: Running, email: str | None) -> Account:
    """Return the coordinator a command acts for: the one named, or the only one there is."""
    with on.database.begin(Role.ACCOUNT, actor=None) as connection:
        found = accounts.coordinators(connection)
    if email is not None:
        for account in found:
            if account.email == email.strip().lower():
                return account
        raise NotFound(f"There is no coordinator with the e-mail address {email}.")
    if not found:
        raise NotFound(
            "There is no coordinator yet. Make one: reread add-user coordinator EMAIL NAME"
        )
    if len(found) > 1:
        listed = ", ".join(account.email for account in found)
        raise InvalidInput(f"Say for which coordinator: --coordinator EMAIL, one of {listed}.")
    return found[0]


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password (12 characters or more): ")
    if getpass.getpass("Again: ") != first:
        raise InvalidInput("The two passwords differ. Nothing was stored.")
    return first
