"""Letters in the language of whom they are for: coordinators may see it."""

from pathlib import Path

from alembic import op

revision = "0026"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the right, for people of one's own studies."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Take it away."""
    op.execute("REVOKE SELECT ON reread.chosen_language FROM reread_coordinator")
    op.execute("DROP POLICY coordinator ON reread.chosen_language")
    op.execute("DROP POLICY account ON reread.chosen_language")
    op.execute("ALTER TABLE reread.chosen_language DISABLE ROW LEVEL SECURITY")
