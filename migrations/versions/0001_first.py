"""The first schema: roles, tables, guards, audit, rights, and the job queue's own tables."""

from pathlib import Path

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LOGIN_ROLES = (
    "reread_account",
    "reread_reader",
    "reread_coordinator",
    "reread_analyst",
    "reread_worker",
)


def upgrade() -> None:
    """Create the roles (shared by the whole server), then everything in schema reread."""
    for role in LOGIN_ROLES:
        _create_role(role, "LOGIN")
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    _run((Path(__file__).parent / "0001_first.sql").read_text(encoding="utf-8"))
    op.execute("CREATE SCHEMA jobs")
    # The queue's tables are procrastinate's own; a later version of it brings a migration of ours.
    op.execute("SET LOCAL search_path = jobs")
    _run(SchemaManager.get_schema())
    for role in ("reread_coordinator", "reread_worker"):
        op.execute(f"GRANT USAGE ON SCHEMA jobs TO {role}")
        op.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO {role}")
        op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO {role}")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO reread_worker")
    op.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA jobs TO reread_coordinator")
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Remove the schemas with all data; the roles stay, other databases may use them."""
    op.execute("DROP SCHEMA jobs CASCADE")
    op.execute("SET LOCAL search_path = reread")
    op.execute(
        """DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables
            WHERE schemaname = 'reread' AND tablename <> 'alembic_version' LOOP
            EXECUTE format('DROP TABLE reread.%I CASCADE', name);
        END LOOP;
        FOR name IN SELECT p.oid::regprocedure::text FROM pg_proc p
            JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'reread' LOOP
            EXECUTE 'DROP FUNCTION ' || name || ' CASCADE';
        END LOOP; END $$"""
    )
    op.execute("RESET search_path")


def _create_role(name: str, attribute: str) -> None:
    op.execute(
        f"""DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
            CREATE ROLE {name} {attribute};
        END IF; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""
    )


def _run(script: str) -> None:
    """Run a whole SQL script as it stands: percent signs and colons are not parameters."""
    connection = op.get_bind().connection.driver_connection
    connection.execute(script)
