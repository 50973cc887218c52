"""A reader's readings are found by an index of their own, not among all of the study's."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the index by study with one by study and reader, which serves both."""
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    op.execute("CREATE INDEX reading_study_reader ON reading (study_id, reader_id)")
    op.execute("DROP INDEX reading_study")
    op.execute("RESET ROLE")
    op.execute("RESET search_path")


def downgrade() -> None:
    """Leave it: 0001 removes the schema as a whole."""
