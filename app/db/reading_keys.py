"""Each reader's own keys of the reading room."""

from psycopg.types.json import Jsonb

from app.db.session import Connection
from app.domain.reading_keys import ReadingKeys, stored_keys


def keys_of_actor(connection: Connection) -> ReadingKeys:
    """Return the actor's keys, the standard ones where none were set."""
    found = connection.execute(
        "SELECT single_keys, keys, pause_minutes FROM reading_keys WHERE account_id = actor()"
    ).fetchone()
    if found is None:
        return ReadingKeys()
    single_keys, changed, pause_minutes = found
    return ReadingKeys(single_keys, stored_keys(changed), pause_minutes)


def set_keys(connection: Connection, keys: ReadingKeys) -> None:
    """Store the actor's keys."""
    connection.execute(
        """INSERT INTO reading_keys (account_id, single_keys, keys, pause_minutes)
           VALUES (actor(), %s, %s, %s)
           ON CONFLICT (account_id) DO UPDATE SET single_keys = excluded.single_keys,
               keys = excluded.keys, pause_minutes = excluded.pause_minutes""",
        [keys.single_keys, Jsonb(keys.changed), keys.pause_minutes],
    )
