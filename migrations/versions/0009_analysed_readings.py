"""The protocol says whether the analysis uses readings as locked or as corrected."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column with its guard; studies opened before keep what they did."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = (Path(__file__).parent / "0009_analysed_readings.sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Leave all: which readings were analysed is data; 0001 removes the schema as a whole."""
