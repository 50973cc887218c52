"""Signing in at a hospital's identity provider; guards of second factors; erasing goes further."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables with their guards and rights, and guards of second factors; no row is touched."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Remove the tables, whose people are bound anew, and the guards of second factors."""
    op.execute("DROP TRIGGER drop_provider_identity ON reread.account")
    op.execute("DROP FUNCTION reread.drop_provider_identity")
    op.execute("DROP TABLE reread.provider_identity, reread.provider_sign_in")
    op.execute("DROP FUNCTION reread.audit_provider_identity")
    op.execute("DROP TRIGGER guard ON reread.second_factor")
    op.execute("DROP TRIGGER guard ON reread.recovery_code")
    op.execute("DROP FUNCTION reread.guard_second_factor, reread.guard_recovery_code")
    op.execute("GRANT UPDATE ON reread.second_factor TO reread_account")
