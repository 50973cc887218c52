-- What is known of a picture besides its pixels, which pictures a model has learned from, and the
-- coordinator's word on those that a study shares with them (docs/adr/0012).

-- ---------------------------------------------------------------- images

ALTER TABLE image
    ADD file_sha256 text CHECK (file_sha256 ~ '^[0-9a-f]{64}$'),  -- of the file as delivered
    ADD perceptual_hash bit(64),
    ADD sharpness double precision,
    ADD shorter_side integer CHECK (shorter_side > 0),  -- as delivered
    ADD luminance double precision CHECK (luminance BETWEEN 0 AND 255),
    ADD dark_share double precision CHECK (dark_share BETWEEN 0 AND 1),
    ADD light_share double precision CHECK (light_share BETWEEN 0 AND 1),
    ADD contrast double precision CHECK (contrast >= 0),
    -- NULL: imported before any of it was measured.
    ADD CONSTRAINT measured_or_not CHECK (num_nonnulls(file_sha256, perceptual_hash, sharpness,
        shorter_side, luminance, dark_share, light_share, contrast) IN (0, 8));

-- ---------------------------------------------------------------- training images

-- No row: nothing is known of what this model version has learned from.
CREATE TABLE training_list (
    model_version_id uuid PRIMARY KEY REFERENCES model_version,
    images           integer NOT NULL CHECK (images > 0),
    list_sha256      text NOT NULL CHECK (list_sha256 ~ '^[0-9a-f]{64}$'),
    registered_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    registered_in    xid8 NOT NULL DEFAULT pg_current_xact_id()  -- the transaction
);

CREATE TABLE training_image (
    model_version_id uuid NOT NULL REFERENCES training_list,
    image            text NOT NULL CHECK (length(image) BETWEEN 1 AND 300),  -- the name in the list
    split            text NOT NULL CHECK (length(split) BETWEEN 1 AND 40),
    sha256           text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),  -- of the file
    perceptual_hash  bit(64) NOT NULL,
    patient_sha256   text CHECK (patient_sha256 ~ '^[0-9a-f]{64}$'),  -- NULL: patient not known
    PRIMARY KEY (model_version_id, image)
);

CREATE FUNCTION guard_training_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.registered_at := clock_timestamp();
    NEW.registered_in := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON training_list
    FOR EACH ROW EXECUTE FUNCTION guard_training_list();

CREATE FUNCTION guard_training_image() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM training_list WHERE model_version_id = NEW.model_version_id
                   AND registered_in = pg_current_xact_id()) THEN
        RAISE EXCEPTION 'A model version''s training images are registered once and as a whole'
            USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON training_image
    FOR EACH ROW EXECUTE FUNCTION guard_training_image();

CREATE FUNCTION check_training_list() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- At commit: the rows are those whose number and digest the log holds.
DECLARE
    stored record;
BEGIN
    SELECT count(*) AS images, encode(sha256(convert_to(coalesce(string_agg(concat_ws(E'\t', image,
               split, sha256, perceptual_hash::text, coalesce(patient_sha256, '')), E'\n'
               ORDER BY image COLLATE "C"), ''), 'UTF8')), 'hex') AS digest
    INTO stored FROM training_image WHERE model_version_id = NEW.model_version_id;
    IF stored.images <> NEW.images OR stored.digest <> NEW.list_sha256 THEN
        RAISE EXCEPTION 'The stored training images are not those their digest and number say'
            USING ERRCODE = 'RR409';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER check_list AFTER INSERT ON training_list
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_training_list();

-- ---------------------------------------------------------------- what a study shares

-- Two hashes that differ in at most six bits agree in at least one of seven bands, so that only
-- pictures with a common band are compared bit by bit.
CREATE FUNCTION hash_bands(hash bit) RETURNS TABLE (band integer, bits bit varying)
    LANGUAGE sql IMMUTABLE AS $$
    SELECT k, substring(hash FROM 1 + 9 * k FOR 9) FROM generate_series(0, 6) AS k
$$;

-- training: a picture is one of the model's (the same file, or alike within 6 bits);
-- patient:  a case's patient is one of the model's; twice: two cases show the same picture.
CREATE FUNCTION seen_before(of_study uuid, by_model uuid)
    RETURNS TABLE (kind text, case_id uuid, image_id uuid, other_image_id uuid, training_image text,
                   split text, same_file boolean, distance integer, pictures bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    WITH mine AS MATERIALIZED (
        SELECT i.id, i.case_id, i.file_sha256, i.perceptual_hash FROM image i WHERE i.study_id = of_study
    ), my_bands AS MATERIALIZED (
        SELECT m.id, m.case_id, m.perceptual_hash, b.band, b.bits
        FROM mine m, hash_bands(m.perceptual_hash) b WHERE m.perceptual_hash IS NOT NULL
    ), trained AS MATERIALIZED (
        SELECT * FROM training_image t WHERE t.model_version_id = by_model
    ), alike AS (
        SELECT m.id, t.image FROM my_bands m
        JOIN (SELECT t.image, t.perceptual_hash, b.band, b.bits
              FROM trained t, hash_bands(t.perceptual_hash) b) t USING (band, bits)
        WHERE bit_count(m.perceptual_hash # t.perceptual_hash) <= 6
        UNION
        SELECT m.id, t.image FROM mine m JOIN trained t ON t.sha256 = m.file_sha256
    ), twice AS (
        SELECT a.id, b.id AS other FROM my_bands a JOIN my_bands b USING (band, bits)
        WHERE a.case_id < b.case_id AND bit_count(a.perceptual_hash # b.perceptual_hash) <= 6
        UNION
        SELECT a.id, b.id FROM mine a JOIN mine b USING (file_sha256) WHERE a.case_id < b.case_id
    )
    SELECT 'training', m.case_id, m.id, NULL::uuid, t.image, t.split, t.sha256 = m.file_sha256,
           bit_count(m.perceptual_hash # t.perceptual_hash)::integer, NULL::bigint
    FROM alike JOIN mine m USING (id) JOIN trained t USING (image)
    UNION ALL
    SELECT 'patient', c.id, NULL, NULL, NULL, string_agg(DISTINCT t.split, ', ' ORDER BY t.split),
           NULL, NULL, count(*)
    FROM study_case c JOIN trained t
        ON t.patient_sha256 = encode(sha256(convert_to(c.patient_code, 'UTF8')), 'hex')
    WHERE c.study_id = of_study GROUP BY c.id
    UNION ALL
    SELECT 'twice', a.case_id, a.id, b.id, NULL, NULL, a.file_sha256 = b.file_sha256,
           bit_count(a.perceptual_hash # b.perceptual_hash)::integer, NULL
    FROM twice t JOIN mine a USING (id) JOIN mine b ON b.id = t.other
$$;

-- One line a match, to be hashed: by it a coordinator says which matches they have looked at.
CREATE FUNCTION match_line(kind text, case_id uuid, image_id uuid, other_image_id uuid,
                           training_image text, split text, pictures bigint)
    RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT concat_ws(E'\t', kind, case_id, image_id, other_image_id, training_image, split, pictures)
$$;

CREATE FUNCTION seen_before_digest(of_study uuid, by_model uuid, OUT matches integer, OUT digest text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT count(*), encode(sha256(convert_to(
        coalesce(string_agg(line, E'\n' ORDER BY line COLLATE "C"), ''), 'UTF8')), 'hex')
    FROM (SELECT match_line(s.kind, s.case_id, s.image_id, s.other_image_id, s.training_image,
                            s.split, s.pictures) AS line
          FROM seen_before(of_study, by_model) s) lines
$$;

-- The coordinator's view of it; their role reads no training image otherwise.
CREATE FUNCTION seen_before_in(of_study uuid)
    RETURNS TABLE (kind text, case_id uuid, image_id uuid, other_image_id uuid, training_image text,
                   split text, same_file boolean, distance integer, pictures bigint, line text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT m.*, match_line(m.kind, m.case_id, m.image_id, m.other_image_id, m.training_image,
                           m.split, m.pictures)
    FROM study s, seen_before(s.id, s.model_version_id) m
    WHERE s.id = of_study AND of_study = ANY (coordinated())
$$;

-- Pictures that are in other studies too. Of a study that the actor does not coordinate, no name.
CREATE FUNCTION seen_elsewhere(of_study uuid)
    RETURNS TABLE (image_id uuid, studies bigint, codes text[], shared_readers bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    WITH bands AS MATERIALIZED (
        SELECT i.id, i.study_id, i.perceptual_hash, b.band, b.bits
        FROM image i, hash_bands(i.perceptual_hash) b WHERE i.perceptual_hash IS NOT NULL
    ), pairs AS (
        SELECT a.id, b.study_id FROM bands a JOIN bands b USING (band, bits)
        WHERE a.study_id = of_study AND b.study_id <> of_study
            AND bit_count(a.perceptual_hash # b.perceptual_hash) <= 6
        UNION
        SELECT a.id, b.study_id FROM image a JOIN image b ON b.sha256 = a.sha256
        WHERE a.study_id = of_study AND b.study_id <> of_study
    )
    SELECT p.id, count(*), array_agg(s.code ORDER BY s.code) FILTER (WHERE s.id = ANY (coordinated())),
        (SELECT count(DISTINCT e.reader_id) FROM enrolment e JOIN enrolment f USING (reader_id)
         WHERE e.study_id = of_study AND f.study_id = ANY (array_agg(p.study_id)))
    FROM pairs p JOIN study s ON s.id = p.study_id
    WHERE of_study = ANY (coordinated()) GROUP BY p.id
$$;

-- ---------------------------------------------------------------- the coordinator's word

CREATE TABLE seen_before_acknowledgement (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id         uuid NOT NULL REFERENCES study,
    model_version_id uuid REFERENCES model_version,
    matches          integer NOT NULL CHECK (matches > 0),
    matches_sha256   text NOT NULL,
    reason           text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    author           uuid NOT NULL REFERENCES account,
    made_at          timestamptz NOT NULL
);
CREATE INDEX seen_before_acknowledgement_study ON seen_before_acknowledgement (study_id);

CREATE FUNCTION guard_acknowledgement() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    s record;
    found record;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7001, hashtext(NEW.study_id::text));
    IF coordinates(NEW.study_id) IS NOT TRUE THEN
        RAISE EXCEPTION 'Only a coordinator of the study does this' USING ERRCODE = 'RR403';
    END IF;
    SELECT code, state, model_version_id INTO s FROM study WHERE id = NEW.study_id;
    IF s.state <> 'draft' THEN
        RAISE EXCEPTION 'The study "%" is %: matches are acknowledged before it opens', s.code, s.state
            USING ERRCODE = 'RR409';
    END IF;
    SELECT * INTO found FROM seen_before_digest(NEW.study_id, s.model_version_id);
    IF found.matches = 0 OR found.digest <> NEW.matches_sha256 THEN
        RAISE EXCEPTION 'The matches of study "%" are not those you looked at: look at them again', s.code
            USING ERRCODE = 'RR409';
    END IF;
    NEW.model_version_id := s.model_version_id;
    NEW.matches := found.matches;
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON seen_before_acknowledgement
    FOR EACH ROW EXECUTE FUNCTION guard_acknowledgement();

CREATE FUNCTION guard_seen_before() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Fires after "guard" has taken the study's lock.
DECLARE
    found record;
BEGIN
    SELECT * INTO found FROM seen_before_digest(NEW.id, NEW.model_version_id);
    IF found.matches > 0 AND NOT EXISTS (
        SELECT FROM seen_before_acknowledgement WHERE study_id = NEW.id AND matches_sha256 = found.digest) THEN
        RAISE EXCEPTION 'The study "%" cannot open: nobody has said why its % pictures and patients seen before may stay',
            OLD.code, found.matches USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_seen_before BEFORE UPDATE ON study FOR EACH ROW
    WHEN (OLD.state = 'draft' AND NEW.state = 'open') EXECUTE FUNCTION guard_seen_before();

-- ---------------------------------------------------------------- audit, append-only, rights

DO $$
DECLARE
    t record;
BEGIN
    -- training_image has no events of its own: its list carries the digest of all rows.
    FOR t IN SELECT * FROM (VALUES ('training_list', 'model_version_id'),
                                   ('seen_before_acknowledgement', 'id')) AS t (name, key) LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON %I '
            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row(%L)', t.name, t.key);
    END LOOP;
    FOR t IN SELECT unnest(ARRAY['training_list', 'training_image', 'seen_before_acknowledgement']) AS name LOOP
        EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON %I '
            'FOR EACH ROW EXECUTE FUNCTION refuse_change()', t.name);
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

REVOKE ALL ON FUNCTION guard_training_list(), guard_training_image(), check_training_list(),
    hash_bands(bit), seen_before(uuid, uuid), seen_before_digest(uuid, uuid), seen_before_in(uuid),
    match_line(text, uuid, uuid, uuid, text, text, bigint), seen_elsewhere(uuid),
    guard_acknowledgement(), guard_seen_before() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seen_before_in(uuid), seen_elsewhere(uuid) TO reread_coordinator;
GRANT SELECT ON training_list TO reread_coordinator, reread_analyst, reread_auditor, reread_worker;
GRANT INSERT (model_version_id, images, list_sha256) ON training_list TO reread_worker;
GRANT INSERT ON training_image TO reread_worker;
GRANT SELECT ON seen_before_acknowledgement TO reread_coordinator, reread_analyst, reread_auditor;
GRANT INSERT (study_id, matches_sha256, reason) ON seen_before_acknowledgement TO reread_coordinator;

ALTER TABLE seen_before_acknowledgement ENABLE ROW LEVEL SECURITY;
CREATE POLICY coordinator ON seen_before_acknowledgement TO reread_coordinator
    USING (study_id = ANY ((SELECT coordinated())::uuid[]))
    WITH CHECK (study_id = ANY ((SELECT coordinated())::uuid[]));
CREATE POLICY analyst ON seen_before_acknowledgement FOR SELECT TO reread_analyst
    USING (study_id = ANY ((SELECT analysed())::uuid[]));
CREATE POLICY auditor ON seen_before_acknowledgement FOR SELECT TO reread_auditor
    USING (study_id = ANY ((SELECT audited())::uuid[]));
