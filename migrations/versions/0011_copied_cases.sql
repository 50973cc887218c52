-- Cases come along when a study is copied: under new codes, with their diagnoses, which the
-- coordinator who copies does not see; where they come from is written down.

ALTER TABLE study ADD copied_from text;  -- the short name of the study whose cases came along
ALTER TABLE study_case ADD copied_from uuid REFERENCES study_case;

-- `old_keys` are those of the images of the other study, `new_keys` those of their copies.
CREATE FUNCTION copy_cases(from_study uuid, into_study uuid, old_keys text[], new_keys text[])
    RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    copied integer;
BEGIN
    IF coordinates(from_study) IS NOT TRUE OR coordinates(into_study) IS NOT TRUE THEN
        RAISE EXCEPTION 'Only a coordinator of both studies copies cases' USING ERRCODE = 'RR403';
    END IF;
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
                       light_share, contrast)
    SELECT into_study, n.id, i.position, i.modality, k.new, i.sha256, i.width, i.height, i.synthetic,
           i.file_sha256, i.perceptual_hash, i.sharpness, i.shorter_side, i.luminance, i.dark_share,
           i.light_share, i.contrast
    FROM study_case n JOIN image i ON i.case_id = n.copied_from
    JOIN unnest(old_keys, new_keys) AS k (old, new) ON k.old = i.storage_key
    WHERE n.study_id = into_study;
    IF EXISTS (SELECT FROM study_case n JOIN image i ON i.case_id = n.copied_from
               WHERE n.study_id = into_study AND NOT EXISTS (SELECT FROM image m
                   WHERE m.case_id = n.id AND m.position = i.position)) THEN
        RAISE EXCEPTION 'The study changed while it was copied: try again' USING ERRCODE = 'RR409';
    END IF;
    INSERT INTO reference_diagnosis (case_id, study_id, diagnosis, source, diagnosed_on, recorded_by)
    SELECT n.id, into_study, d.diagnosis, d.source, d.diagnosed_on, actor()
    FROM study_case n JOIN reference_diagnosis d ON d.case_id = n.copied_from
    WHERE n.study_id = into_study;
    UPDATE study SET copied_from = (SELECT code FROM study WHERE id = from_study) WHERE id = into_study;
    RETURN copied;
END
$$;
REVOKE ALL ON FUNCTION copy_cases(uuid, uuid, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION copy_cases(uuid, uuid, text[], text[]) TO reread_coordinator;
