"""People of a study: profiles, consent, parts that begin and end; adjudicators and auditors."""

from pathlib import Path

from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LOGIN_ROLES = ("reread_adjudicator", "reread_auditor")


def upgrade() -> None:
    """Create the two further roles, then the tables, guards and rights."""
    for role in LOGIN_ROLES:
        op.execute(
            f"""DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                CREATE ROLE {role} LOGIN;
            END IF; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""
        )
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = (Path(__file__).parent / "0002_people.sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Leave the removal to the first version's, which drops everything; consent is not undone."""
    if context.get_revision_argument() is not None:
        raise RuntimeError("There is no way back from 0002 but to nothing at all: `base`.")
