"""Sign-ins that were begun know their network address, and are counted by it."""

from pathlib import Path

from alembic import op

revision = "0028"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Remove them: nothing is lost, the rows live for minutes."""
    for table in ("provider_sign_in", "passkey_challenge"):
        op.execute(f"ALTER TABLE reread.{table} DROP COLUMN network")
        op.execute(f"DROP INDEX reread.{table}_expiry")
