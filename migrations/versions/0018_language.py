"""The language an account is shown pages in."""

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table of preferences; nothing of before is touched."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = (Path(__file__).parent / "0018_language.sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Leave all: what was chosen is data; 0001 removes the schema as a whole."""
