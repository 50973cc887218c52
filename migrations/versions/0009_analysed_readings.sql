-- Which readings the analysis uses, as locked or as corrected: a part of the protocol, fixed at
-- opening. Studies that were opened before it was asked count corrections, as they did.

ALTER TABLE study ADD analysed_readings text NOT NULL DEFAULT 'corrected'
    CHECK (analysed_readings IN ('original', 'corrected'));
ALTER TABLE study ALTER analysed_readings SET DEFAULT 'original';
UPDATE study SET analysed_readings = 'original' WHERE state = 'draft';
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;

CREATE FUNCTION guard_analysed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The study "%" is %: which readings its analysis uses is frozen', OLD.code, OLD.state
        USING ERRCODE = 'RR409';
END
$$;
CREATE TRIGGER guard_analysed BEFORE UPDATE ON study FOR EACH ROW
    WHEN (OLD.state <> 'draft' AND NEW.analysed_readings <> OLD.analysed_readings)
    EXECUTE FUNCTION guard_analysed();
ALTER TABLE study ENABLE ALWAYS TRIGGER guard_analysed;
REVOKE ALL ON FUNCTION guard_analysed() FROM PUBLIC;

GRANT INSERT (analysed_readings), UPDATE (analysed_readings) ON study TO reread_coordinator;

CREATE OR REPLACE FUNCTION protocol_content(s study) RETURNS text LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT jsonb_build_object(
        'code', s.code, 'title', s.title, 'instructions', s.instructions,
        'positive_class', s.positive_class, 'design', s.design,
        'unaided_only_percent', s.unaided_only_percent, 'washout_days', s.washout_days,
        'show_probability', s.show_probability, 'show_label', s.show_label,
        'show_overlay', s.show_overlay, 'ask_management', s.ask_management,
        'ask_comment', s.ask_comment, 'repeats', s.repeats,
        'cases_per_sitting', s.cases_per_sitting, 'seed', s.seed,
        'analysed_readings', s.analysed_readings,
        'allocation_algorithm', s.allocation_algorithm, 'model_version_id', s.model_version_id,
        'training_cases', (SELECT count(*) FROM study_case c
                           WHERE c.study_id = s.id AND c.purpose = 'training'),
        -- Cases that wait to be added are no part of the protocol yet.
        'counted_cases', (SELECT count(*) FROM study_case c
                          WHERE c.study_id = s.id AND c.purpose = 'counted'
                          AND c.addition <= newest_addition(s.id)),
        'added_cases', (SELECT coalesce(jsonb_agg(n.cases ORDER BY n.number), '[]')
                        FROM case_addition n WHERE n.study_id = s.id),
        'excluded_cases', (SELECT coalesce(jsonb_agg(c.code ORDER BY c.code), '[]')
                           FROM case_exclusion x JOIN study_case c ON c.id = x.case_id
                           WHERE x.study_id = s.id),
        'washout_overrides', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                  'reader_id', w.reader_id, 'days', w.days) ORDER BY w.made_at, w.id), '[]')
                              FROM washout_override w WHERE w.study_id = s.id)
    )::text
$$;
