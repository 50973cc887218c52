"""The same picture in two studies: who reads it in one learns nothing of it in the other."""

from pathlib import Path

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# As in 0005 and 0002.
_BEFORE = """
CREATE OR REPLACE FUNCTION training_truth(of_assignment uuid)
    RETURNS TABLE (diagnosis text, source text) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = reread, pg_temp AS $$
    SELECT d.diagnosis, d.source
    FROM assignment a JOIN reference_diagnosis d ON d.case_id = a.case_id
    WHERE a.id = of_assignment AND a.reader_id = actor() AND a.purpose = 'training'
        AND EXISTS (SELECT FROM reading r WHERE r.assignment_id = a.id
            AND r.phase = CASE a.arm WHEN 'with_ai' THEN 'aided' ELSE 'unaided' END
            AND r.locked_in IS DISTINCT FROM pg_current_xact_id_if_assigned())
$$;
CREATE OR REPLACE FUNCTION adjudicated() RETURNS uuid[] LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT study_id), '{}') FROM membership
    WHERE account_id = actor() AND role = 'adjudicator'
        AND has_part(study_id, actor(), 'adjudicator')
$$;
CREATE OR REPLACE FUNCTION audited() RETURNS uuid[] LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT study_id), '{}') FROM membership
    WHERE account_id = actor() AND role = 'auditor' AND has_part(study_id, actor(), 'auditor')
$$;
"""


def upgrade() -> None:
    """Replace what gives truth out, and add the guard."""
    _run(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Give it out as before."""
    op.execute("DROP TRIGGER guard_known ON reread.served")
    op.execute("DROP FUNCTION reread.guard_known")
    _run(_BEFORE)
    op.execute("DROP FUNCTION reread.waits_elsewhere, reread.study_waits_elsewhere")


def _run(script: str) -> None:
    op.execute("SET LOCAL ROLE reread_owner")
    op.execute("SET LOCAL search_path = reread")
    op.get_bind().connection.driver_connection.execute(script)
    op.execute("RESET ROLE")
    op.execute("RESET search_path")
