-- A study chooses on which scale readers say how sure they are: any whole per cent, or five steps.

ALTER TABLE study
    ADD confidence_scale text NOT NULL DEFAULT 'percent'
        CHECK (confidence_scale IN ('percent', 'five_steps'));

CREATE OR REPLACE FUNCTION guard_reading() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- The foreign keys say the same; these hold where a superuser has switched them off.
DECLARE
    s study;
BEGIN
    PERFORM guard_reader(NEW.reader_id);
    IF NOT EXISTS (SELECT FROM served WHERE assignment_id = NEW.assignment_id) THEN
        RAISE EXCEPTION 'This case has not been shown yet' USING ERRCODE = 'RR409';
    END IF;
    IF NEW.phase = 'aided'
       AND NOT EXISTS (SELECT FROM reveal WHERE assignment_id = NEW.assignment_id) THEN
        RAISE EXCEPTION 'There is no aided reading before the reveal' USING ERRCODE = 'RR409';
    END IF;
    SELECT * INTO s FROM study WHERE id = NEW.study_id;
    IF s.ask_management <> (NEW.management IS NOT NULL) OR NEW.comment IS NOT NULL AND NOT s.ask_comment THEN
        RAISE EXCEPTION 'A reading answers the questions of its study, all of them and no other'
            USING ERRCODE = 'RR409';
    END IF;
    IF s.confidence_scale = 'five_steps' AND NEW.confidence % 25 <> 0 THEN
        RAISE EXCEPTION 'In this study confidence has five steps: 0, 25, 50, 75 or 100 per cent'
            USING ERRCODE = 'RR409';
    END IF;
    NEW.protocol_version := newest_protocol(NEW.study_id);
    NEW.locked_at := clock_timestamp();
    NEW.locked_in := pg_current_xact_id();
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION guard_correction() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    -- Before unblinding only: whoever corrects knows neither truth nor calls.
    PERFORM guard_act(NEW.study_id, '{open,closed}');
    IF NEW.kind = 'correct' AND (NEW.management IS NOT NULL) IS DISTINCT FROM
       (SELECT ask_management FROM study WHERE id = NEW.study_id) THEN
        RAISE EXCEPTION 'A correction answers the questions of its study, all of them and no other'
            USING ERRCODE = 'RR409';
    END IF;
    IF NEW.confidence % 25 <> 0 AND
       (SELECT confidence_scale FROM study WHERE id = NEW.study_id) = 'five_steps' THEN
        RAISE EXCEPTION 'In this study confidence has five steps: 0, 25, 50, 75 or 100 per cent'
            USING ERRCODE = 'RR409';
    END IF;
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;

-- The versions of a protocol written before know nothing of these three: they are frozen here.
CREATE OR REPLACE FUNCTION guard_later_settings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The study "%" is %: how confidence is asked for, what is logged of the zoom and shown of the model''s record is fixed',
        OLD.code, OLD.state USING ERRCODE = 'RR409';
END
$$;
DROP TRIGGER guard_later_settings ON study;
CREATE TRIGGER guard_later_settings BEFORE UPDATE ON study FOR EACH ROW
    WHEN (OLD.state <> 'draft' AND (OLD.confidence_scale, OLD.log_zoom, OLD.show_performance)
                     IS DISTINCT FROM (NEW.confidence_scale, NEW.log_zoom, NEW.show_performance))
    EXECUTE FUNCTION guard_later_settings();
ALTER TABLE study ENABLE ALWAYS TRIGGER guard_later_settings;

CREATE OR REPLACE FUNCTION protocol_content(s study) RETURNS text LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT jsonb_build_object(
        'code', s.code, 'title', s.title, 'instructions', s.instructions,
        'positive_class', s.positive_class, 'design', s.design,
        'unaided_only_percent', s.unaided_only_percent, 'washout_days', s.washout_days,
        'show_probability', s.show_probability, 'show_label', s.show_label,
        'show_overlay', s.show_overlay, 'confidence_scale', s.confidence_scale,
        'ask_management', s.ask_management,
        'ask_comment', s.ask_comment, 'repeats', s.repeats, 'log_zoom', s.log_zoom,
        'show_performance', s.show_performance,
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
                           FROM standing_exclusion x JOIN study_case c ON c.id = x.case_id
                           WHERE x.study_id = s.id),
        'washout_overrides', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                  'reader_id', w.reader_id, 'days', w.days) ORDER BY w.made_at, w.id), '[]')
                              FROM washout_override w WHERE w.study_id = s.id)
    )::text
$$;

GRANT SELECT (confidence_scale) ON study TO reread_reader;
GRANT INSERT (confidence_scale), UPDATE (confidence_scale) ON study TO reread_coordinator;
