"""Millimetres of images, how they were looked at, images ahead, each reader's keys."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns, tables and guards; no reading, event or order of before is touched."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = (Path(__file__).parent / "0014_reading_room.sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Leave all: what was logged is data; 0001 removes the schema as a whole."""
