"""The language each account chose for its pages."""

from collections.abc import Sequence
from uuid import UUID

from app.db.session import Connection, fetch_value


def language_of(connection: Connection, account: UUID) -> str | None:
    """Return the name of the language an account chose; None where it chose none."""
    return fetch_value(
        connection, "SELECT language FROM chosen_language WHERE account_id = %s", [account]
    )


def language_of_address(connection: Connection, email: str) -> str | None:
    """Return what the account of an e-mail address chose, where the asker may know it."""
    return fetch_value(
        connection,
        """SELECT l.language FROM chosen_language l JOIN account a ON a.id = l.account_id
           WHERE a.email = lower(%s::text COLLATE "C")""",
        [email],
    )


def languages_of(connection: Connection, accounts: Sequence[UUID]) -> dict[UUID, str]:
    """Return account -> language of those that chose one, where the asker may know it."""
    rows = connection.execute(
        "SELECT account_id, language FROM chosen_language WHERE account_id = ANY(%s)",
        [list(accounts)],
    )
    return dict(rows.fetchall())


def set_language(connection: Connection, account: UUID, language: str) -> None:
    """Keep what an account chose."""
    connection.execute(
        """INSERT INTO chosen_language (account_id, language) VALUES (%s, %s)
           ON CONFLICT (account_id) DO UPDATE SET language = excluded.language""",
        [account, language],
    )
