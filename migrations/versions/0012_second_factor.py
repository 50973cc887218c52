"""A second factor: codes of an authenticator app, and recovery codes."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables with their guards and rights."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Remove them: a second factor can be set up again."""
    op.execute("DROP TRIGGER drop_second_factor ON reread.account")
    op.execute("DROP FUNCTION reread.drop_second_factor")
    op.execute("DROP TABLE reread.pending_sign_in, reread.recovery_code, reread.second_factor")
    op.execute("DROP FUNCTION reread.audit_second_factor")
