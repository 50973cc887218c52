-- A corrected reading says what the reader would have done as well, where the study asks for it.

ALTER TABLE reading_correction
    ADD management text CHECK (management IN ('biopsy', 'no_biopsy')),
    ADD CHECK (kind = 'correct' OR management IS NULL);

-- Corrections of before answer without it; what they leave as it was locked stays so.
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
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;

-- What was computed before stays the same: NULLs leave no trace.
CREATE OR REPLACE FUNCTION data_digest(of_study uuid) RETURNS text LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT encode(sha256(convert_to(concat_ws(E'\n',
        (SELECT coalesce(string_agg(concat_ws(',', assignment_id, phase, call, confidence, submission_id,
                                        management, encode(sha256(convert_to(comment, 'UTF8')), 'hex')),
                                    E'\n' ORDER BY assignment_id, phase), '')
         FROM reading WHERE study_id = of_study),
        (SELECT string_agg(concat_ws(',', reading_id, kind, call, confidence, management),
                           E'\n' ORDER BY made_at, id)
         FROM reading_correction WHERE study_id = of_study),
        (SELECT string_agg(concat_ws(',', 'excluded', case_id), E'\n' ORDER BY case_id)
         FROM standing_exclusion WHERE study_id = of_study)), 'UTF8')), 'hex')
$$;

GRANT INSERT (management) ON reading_correction TO reread_coordinator;
