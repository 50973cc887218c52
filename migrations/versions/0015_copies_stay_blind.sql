-- Cases that were copied, and pictures ahead of their turn: what they may not become.

-- A copy that is unblinded shows the truth of its source: it waits until its source is unblinded.
CREATE FUNCTION guard_copied() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    source text;
BEGIN
    SELECT s.code INTO source FROM study_case n
    JOIN study_case c ON c.id = n.copied_from JOIN study s ON s.id = c.study_id
    WHERE n.study_id = NEW.id AND s.state <> 'unblinded' LIMIT 1;
    IF source IS NOT NULL THEN
        RAISE EXCEPTION 'The cases of this study are copies of those of "%", which is still blinded: unblind that study first', source
            USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_copied BEFORE UPDATE ON study FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND NEW.state = 'unblinded') EXECUTE FUNCTION guard_copied();
ALTER TABLE study ENABLE ALWAYS TRIGGER guard_copied;
REVOKE ALL ON FUNCTION guard_copied() FROM PUBLIC;

-- As in 0011, with the scale of the images, under the study's lock, and from the named study only.
CREATE OR REPLACE FUNCTION copy_cases(from_study uuid, into_study uuid, old_keys text[], new_keys text[])
    RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    copied integer;
BEGIN
    IF coordinates(from_study) IS NOT TRUE OR coordinates(into_study) IS NOT TRUE THEN
        RAISE EXCEPTION 'Only a coordinator of both studies copies cases' USING ERRCODE = 'RR403';
    END IF;
    PERFORM pg_advisory_xact_lock(7001, hashtext(into_study::text));
    IF EXISTS (SELECT FROM study_case WHERE study_id = into_study)
       OR NOT EXISTS (SELECT FROM study WHERE id = into_study AND state = 'draft') THEN
        RAISE EXCEPTION 'Cases are copied into a new draft without cases' USING ERRCODE = 'RR409';
    END IF;
    -- New codes in an order of their own: neither code nor number tells what the case was called.
    INSERT INTO study_case (study_id, code, patient_code, lesion_code, age, sex, anatomical_site,
                            fitzpatrick, purpose, copied_from)
    SELECT into_study, 'case-' || to_char(row_number() OVER (ORDER BY gen_random_uuid()), 'FM00000'),
           c.patient_code, c.lesion_code, c.age, c.sex, c.anatomical_site, c.fitzpatrick, c.purpose, c.id
    FROM study_case c WHERE c.study_id = from_study AND c.addition <= newest_addition(from_study)
        AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = c.id);
    GET DIAGNOSTICS copied = ROW_COUNT;
    INSERT INTO image (study_id, case_id, position, modality, storage_key, sha256, width, height, synthetic,
                       file_sha256, perceptual_hash, sharpness, shorter_side, luminance, dark_share,
                       light_share, contrast, mm_per_pixel)
    SELECT into_study, n.id, i.position, i.modality, k.new, i.sha256, i.width, i.height, i.synthetic,
           i.file_sha256, i.perceptual_hash, i.sharpness, i.shorter_side, i.luminance, i.dark_share,
           i.light_share, i.contrast, i.mm_per_pixel
    FROM study_case n JOIN image i ON i.case_id = n.copied_from AND i.study_id = from_study
    JOIN unnest(old_keys, new_keys) AS k (old, new) ON k.old = i.storage_key
    WHERE n.study_id = into_study;
    IF EXISTS (SELECT FROM study_case n JOIN image i ON i.case_id = n.copied_from
               WHERE n.study_id = into_study AND NOT EXISTS (SELECT FROM image m
                   WHERE m.case_id = n.id AND m.position = i.position)) THEN
        RAISE EXCEPTION 'The study changed while it was copied: try again' USING ERRCODE = 'RR409';
    END IF;
    INSERT INTO reference_diagnosis (case_id, study_id, diagnosis, source, diagnosed_on, recorded_by)
    SELECT n.id, into_study, d.diagnosis, d.source, d.diagnosed_on, actor()
    FROM study_case n JOIN reference_diagnosis d ON d.case_id = n.copied_from AND d.study_id = from_study
    WHERE n.study_id = into_study;
    UPDATE study SET copied_from = (SELECT code FROM study WHERE id = from_study) WHERE id = into_study;
    RETURN copied;
END
$$;

-- As in 0014; the same picture in another study is the same case to whoever reads both.
CREATE INDEX image_sha256 ON image (sha256);
CREATE OR REPLACE FUNCTION shown_ai(of_assignment uuid)
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
        -- While the same case waits a second time (crossover, repeat), the finished one is shut; and
        -- while the same picture waits in another study that is open.
        AND NOT (is_finished(r.assignment_id) AND EXISTS (
            SELECT FROM assignment o JOIN image j ON j.case_id = o.case_id
            JOIN study t ON t.id = o.study_id
            WHERE o.reader_id = r.reader_id AND o.id <> r.assignment_id AND NOT is_finished(o.id)
            AND (o.case_id = r.case_id OR t.state = 'open' AND j.sha256 IN (
                SELECT k.sha256 FROM image k WHERE k.case_id = r.case_id))))
    ORDER BY i.position
$$;

-- As in 0014, and only for whom the case itself could be shown to.
CREATE OR REPLACE FUNCTION images_ahead(of_study uuid)
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
        -- As for a case that is shown (guard_may_read): nobody whose part has ended, or who has not
        -- consented to the newest text.
        AND has_part(of_study, actor(), 'reader')
        AND ((SELECT simulated FROM account WHERE id = actor())
             OR NOT EXISTS (SELECT FROM consent_text WHERE study_id = of_study)
             OR EXISTS (SELECT FROM consent n WHERE n.study_id = of_study AND n.reader_id = actor()
                        AND n.consent_text_id = (SELECT id FROM consent_text WHERE study_id = of_study
                                                 ORDER BY version DESC LIMIT 1)))
        AND EXISTS (SELECT FROM served WHERE study_id = of_study AND reader_id = actor())
        AND NOT c.served
        AND (c.nth = 1 OR EXISTS (SELECT FROM coming before WHERE before.nth = 1 AND before.revealed
                                  AND before.session = c.session))
        AND waits_until(c.id) IS NULL
    ORDER BY i.position
$$;
