"""Passkeys: another way in, without password and code."""

from pathlib import Path

from alembic import op

revision = "0019"
down_revision = "0017"
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
    """Remove them: a passkey can be added again."""
    op.execute("DROP TRIGGER drop_passkeys ON reread.account")
    op.execute("DROP FUNCTION reread.drop_passkeys")
    op.execute("DROP TABLE reread.passkey, reread.passkey_challenge")
    op.execute("DROP FUNCTION reread.guard_passkey, reread.audit_passkey")
