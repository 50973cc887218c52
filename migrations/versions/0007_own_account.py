"""Own account: sessions that can be told apart, known devices, links that set a password."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns with their guards and rights."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Remove them: links can be made again, devices sign in again."""
    op.execute("DROP TABLE reread.password_reset, reread.known_device")
    op.execute("DROP FUNCTION reread.guard_password_reset")
    op.execute("ALTER TABLE reread.sign_in_failure DROP COLUMN pending")
    op.execute(
        "ALTER TABLE reread.sign_in_session DROP COLUMN id, DROP COLUMN address, "
        "DROP COLUMN browser"
    )
