"""What copied cases may not become: a way to the truth, or to the AI, of a study under way."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a guard and state three functions anew; no row is touched."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = (Path(__file__).parent / "0015_copies_stay_blind.sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Leave all: the guard forbids, and holds nothing; 0001 removes the schema as a whole."""
