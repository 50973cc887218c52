-- The reading room: millimetres of an image, how images and map were looked at, the next case's
-- images ahead of its turn, and each reader's own keys (docs/adr/0040).

-- ---------------------------------------------------------------- millimetres

ALTER TABLE image
    ADD mm_per_pixel double precision CHECK (mm_per_pixel > 0 AND mm_per_pixel <= 10);  -- as stored

-- ---------------------------------------------------------------- how it was looked at

ALTER TABLE study
    ADD log_zoom boolean NOT NULL DEFAULT false,
    ADD show_performance boolean NOT NULL DEFAULT false;

-- What the browser says beside a call. Untrusted and bounded, so it stands apart from the reading.
CREATE TABLE viewing (
    reading_id       uuid PRIMARY KEY,
    study_id         uuid NOT NULL,
    reader_id        uuid NOT NULL,
    map_milliseconds integer CHECK (map_milliseconds BETWEEN 0 AND 86400000),
    greatest_zoom    real CHECK (greatest_zoom BETWEEN 1 AND 1000),  -- 1: the whole image fits
    CHECK (num_nonnulls(map_milliseconds, greatest_zoom) > 0),
    FOREIGN KEY (reading_id, study_id) REFERENCES reading (id, study_id)
);
CREATE INDEX viewing_study ON viewing (study_id);

CREATE FUNCTION guard_viewing() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    r record;
BEGIN
    SELECT reader_id, phase, locked_in INTO r FROM reading WHERE id = NEW.reading_id;
    IF r.reader_id IS DISTINCT FROM actor() OR NEW.reader_id IS DISTINCT FROM actor()
       OR r.locked_in IS DISTINCT FROM pg_current_xact_id() THEN
        RAISE EXCEPTION 'How a case was looked at is written down with its call' USING ERRCODE = 'RR409';
    END IF;
    IF r.phase = 'unaided' AND NEW.map_milliseconds IS NOT NULL THEN
        RAISE EXCEPTION 'There is no map before the reveal' USING ERRCODE = 'RR409';
    END IF;
    IF NEW.greatest_zoom IS NOT NULL AND NOT (SELECT log_zoom FROM study WHERE id = NEW.study_id) THEN
        RAISE EXCEPTION 'This study does not log the zoom' USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON viewing FOR EACH ROW EXECUTE FUNCTION guard_viewing();

-- The versions of a protocol written before know nothing of these two: they are frozen here.
CREATE FUNCTION guard_later_settings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The study "%" is %: what is logged of the zoom and shown of the model''s record is fixed', OLD.code, OLD.state
        USING ERRCODE = 'RR409';
END
$$;
CREATE TRIGGER guard_later_settings BEFORE UPDATE ON study FOR EACH ROW
    WHEN (OLD.state <> 'draft' AND (OLD.log_zoom, OLD.show_performance)
                                   IS DISTINCT FROM (NEW.log_zoom, NEW.show_performance))
    EXECUTE FUNCTION guard_later_settings();

CREATE OR REPLACE FUNCTION protocol_content(s study) RETURNS text LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT jsonb_build_object(
        'code', s.code, 'title', s.title, 'instructions', s.instructions,
        'positive_class', s.positive_class, 'design', s.design,
        'unaided_only_percent', s.unaided_only_percent, 'washout_days', s.washout_days,
        'show_probability', s.show_probability, 'show_label', s.show_label,
        'show_overlay', s.show_overlay, 'ask_management', s.ask_management,
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
                           FROM case_exclusion x JOIN study_case c ON c.id = x.case_id
                           WHERE x.study_id = s.id),
        'washout_overrides', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                  'reader_id', w.reader_id, 'days', w.days) ORDER BY w.made_at, w.id), '[]')
                              FROM washout_override w WHERE w.study_id = s.id)
    )::text
$$;

-- ---------------------------------------------------------------- the model's own record

-- Of its test images, as the model's folder has it: {"images": n, "sensitivity": {"estimate", "low",
-- "high", "of"}, "specificity": ...}; NULL: none recorded. Readers get it after the reveal, by the same
-- one road, and only where the study shows it.
ALTER TABLE model_version ADD performance jsonb;

DROP FUNCTION shown_ai(uuid);
CREATE FUNCTION shown_ai(of_assignment uuid)
    RETURNS TABLE (call text, probability double precision, model_name text, threshold double precision,
                   map_scale double precision, map_rows integer, map_columns integer,
                   demonstration boolean, performance jsonb, image_position integer, overlay_key text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT CASE WHEN s.show_label THEN c.call END,
           CASE WHEN s.show_probability THEN c.probability END, m.name,
           -- With a probability, the threshold would tell the label.
           CASE WHEN s.show_probability AND s.show_label THEN m.threshold END,
           CASE WHEN s.show_overlay THEN m.map_scale END,
           CASE WHEN s.show_overlay THEN m.map_rows END,
           CASE WHEN s.show_overlay THEN m.map_columns END,
           m.demonstration, CASE WHEN s.show_performance THEN m.performance END,
           i.position, CASE WHEN s.show_overlay THEN p.overlay_key END
    FROM reveal r
    JOIN study s ON s.id = r.study_id
    JOIN case_prediction c ON c.id = r.case_prediction_id
    JOIN model_version m ON m.id = c.model_version_id
    JOIN image i ON i.case_id = r.case_id
    JOIN prediction p ON p.image_id = i.id AND p.model_version_id = c.model_version_id
    WHERE r.assignment_id = of_assignment AND r.reader_id = actor()
        AND r.revealed_in IS DISTINCT FROM pg_current_xact_id_if_assigned()
        -- While the same case waits a second time (crossover, repeat), the finished one is shut.
        AND NOT (is_finished(r.assignment_id) AND EXISTS (
            SELECT FROM assignment o WHERE o.case_id = r.case_id AND o.reader_id = r.reader_id
            AND o.id <> r.assignment_id AND NOT is_finished(o.id)))
    ORDER BY i.position
$$;

-- ---------------------------------------------------------------- images ahead of their turn

-- The images (never the AI) of the one case that comes next: while the case before waits for its
-- last call after the reveal, or between two cases. Never before the first case was shown, while a
-- call is still to be made unaided, over the end of a session, or during a washout. Nothing is
-- recorded by it; t0 stays the row in served.
CREATE FUNCTION images_ahead(of_study uuid)
    RETURNS TABLE (assignment_id uuid, image_position integer, storage_key text)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    WITH coming AS MATERIALIZED (
        SELECT a.id, a.case_id, a.session, a.position, row_number() OVER (ORDER BY a.position) AS nth,
               EXISTS (SELECT FROM served s WHERE s.assignment_id = a.id) AS served,
               EXISTS (SELECT FROM reveal v WHERE v.assignment_id = a.id
                   AND v.revealed_in IS DISTINCT FROM pg_current_xact_id_if_assigned()) AS revealed
        FROM assignment a
        WHERE a.study_id = of_study AND a.reader_id = actor()
            -- A withheld case is done only once its call cannot be taken back, as in is_finished.
            AND NOT EXISTS (SELECT FROM reading r WHERE r.assignment_id = a.id AND (r.phase = 'aided'
                OR a.arm = 'without_ai' AND r.locked_in IS DISTINCT FROM pg_current_xact_id_if_assigned()))
            AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = a.case_id)
        ORDER BY a.position LIMIT 2
    )
    SELECT c.id, i.position, i.storage_key
    FROM coming c JOIN image i ON i.case_id = c.case_id
    WHERE (SELECT state FROM study WHERE id = of_study) = 'open'
        AND EXISTS (SELECT FROM served WHERE study_id = of_study AND reader_id = actor())
        AND NOT c.served
        AND (c.nth = 1 OR EXISTS (SELECT FROM coming before WHERE before.nth = 1 AND before.revealed
                                  AND before.session = c.session))
        AND waits_until(c.id) IS NULL
    ORDER BY i.position
$$;

-- ---------------------------------------------------------------- each reader's own keys

-- A preference, not part of any study: it may change. `keys` holds what differs from the standard.
CREATE TABLE reading_keys (
    account_id    uuid PRIMARY KEY REFERENCES account,
    single_keys   boolean NOT NULL DEFAULT true,
    keys          jsonb NOT NULL DEFAULT '{}'
                  CHECK (jsonb_typeof(keys) = 'object' AND length(keys::text) <= 1000),
    pause_minutes smallint CHECK (pause_minutes BETWEEN 5 AND 240)  -- NULL: no pause is offered
);

-- ---------------------------------------------------------------- guards, rights, rows

DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM (VALUES ('viewing', 'reading_id', 'no_change', 'UPDATE OR DELETE'),
                                   ('reading_keys', 'account_id', 'no_delete', 'DELETE'))
             AS t (name, key, guard, acts) LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON %I '
            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row(%L)', t.name, t.key);
        EXECUTE format('CREATE TRIGGER %I BEFORE %s ON %I '
            'FOR EACH ROW EXECUTE FUNCTION refuse_change()', t.guard, t.acts, t.name);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t.name);
    END LOOP;
    FOR t IN SELECT c.relname, g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'reread' AND NOT g.tgisinternal AND g.tgenabled <> 'A' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t.relname, t.tgname);
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION guard_viewing(), guard_later_settings(), images_ahead(uuid), shown_ai(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION images_ahead(uuid), shown_ai(uuid) TO reread_reader;

GRANT SELECT (mm_per_pixel) ON image TO reread_reader;
GRANT SELECT (log_zoom) ON study TO reread_reader;
GRANT INSERT (log_zoom, show_performance), UPDATE (log_zoom, show_performance) ON study TO reread_coordinator;
GRANT INSERT (reading_id, study_id, reader_id, map_milliseconds, greatest_zoom) ON viewing TO reread_reader;
GRANT SELECT ON viewing TO reread_analyst, reread_auditor;
GRANT SELECT, INSERT ON reading_keys TO reread_reader;
GRANT UPDATE (single_keys, keys, pause_minutes) ON reading_keys TO reread_reader;

ALTER TABLE viewing ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON viewing TO reread_reader USING (reader_id = actor()) WITH CHECK (reader_id = actor());
CREATE POLICY analyst ON viewing FOR SELECT TO reread_analyst
    USING (study_id = ANY ((SELECT analysed())::uuid[]));
CREATE POLICY auditor ON viewing FOR SELECT TO reread_auditor
    USING (study_id = ANY ((SELECT audited())::uuid[]));

ALTER TABLE reading_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON reading_keys TO reread_reader
    USING (account_id = actor()) WITH CHECK (account_id = actor());
