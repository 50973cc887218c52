"""Readiness, refused requests, what a person attested, the erasure of a person."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add functions, the table and its guards; no reading and no event is touched."""
    op.execute("GRANT SELECT ON reread.alembic_version TO reread_owner")
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Leave all: an erasure is a record; 0001 removes the schema as a whole."""
