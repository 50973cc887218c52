"""The language each account chose for its pages."""

from uuid import UUID

from app.db.session import Connection, fetch_value


def language_of(connection: Connection, account: UUID) -> str | None:
    """Return the name of the language an account chose; None where it chose none."""
    return fetch_value(
        connection, "SELECT language FROM chosen_language WHERE account_id = %s", [account]
    )


def set_language(connection: Connection, account: UUID, language: str) -> None:
    """Keep what an account chose."""
    connection.execute(
        """INSERT INTO chosen_language (account_id, language) VALUES (%s, %s)
           ON CONFLICT (account_id) DO UPDATE SET language = excluded.language""",
        [account, language],
    )
