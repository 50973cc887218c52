"""Alembic's entry: runs the migrations on the connection handed over by app.db.migrate."""

from alembic import context
from sqlalchemy import Connection, text

# One at a time: a process that starts meanwhile waits, then finds the schema new. The lock ends
# with the transaction, whatever happens.
ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7000, 0)")


def _prepare(connection: Connection) -> None:
    """Make the owner role and the schema, which Alembic's own version table needs."""
    connection.execute(ONE_AT_A_TIME)
    connection.execute(
        text("""DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reread_owner') THEN
            CREATE ROLE reread_owner NOLOGIN;
        END IF; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$""")
    )
    connection.execute(text("GRANT reread_owner TO CURRENT_USER"))
    database = connection.scalar(text("SELECT current_database()"))
    connection.execute(text(f'GRANT CREATE ON DATABASE "{database}" TO reread_owner'))
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS reread AUTHORIZATION reread_owner"))


connection: Connection = context.config.attributes["connection"]
_prepare(connection)
connection.commit()
context.configure(
    connection=connection,
    target_metadata=None,  # migrations are written by hand: the rules live in SQL
    version_table_schema="reread",
)
with context.begin_transaction():
    connection.execute(ONE_AT_A_TIME)
    # Readers wait behind whatever a migration waits for: rather give up and say so.
    connection.execute(text("SET LOCAL lock_timeout = '30s'"))
    context.run_migrations()
