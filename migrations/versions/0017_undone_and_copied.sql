-- An exclusion can be undone by a further row (docs/adr/0033); a copied study leaves a trace in the
-- log of its source, and its cases say truly where they come from and who made their diagnoses; the
-- study's log holds what was compared with the model's training images, and what was found.

-- ---------------------------------------------------------------- a case comes back

ALTER TABLE case_exclusion
    DROP CONSTRAINT case_exclusion_case_id_key,  -- excluded, brought back, excluded again
    ADD UNIQUE (id, case_id, study_id);
CREATE INDEX case_exclusion_case ON case_exclusion (case_id);

CREATE TABLE case_readmission (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    exclusion_id uuid NOT NULL UNIQUE,
    case_id      uuid NOT NULL,
    study_id     uuid NOT NULL,
    reason       text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    author       uuid NOT NULL REFERENCES account,
    made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (exclusion_id, case_id, study_id) REFERENCES case_exclusion (id, case_id, study_id)
);
CREATE INDEX case_readmission_study ON case_readmission (study_id);

-- The rows and rights of whoever asks.
CREATE VIEW standing_exclusion WITH (security_invoker = true) AS
    SELECT x.id, x.case_id, x.study_id, x.made_at FROM case_exclusion x
    WHERE NOT EXISTS (SELECT FROM case_readmission b WHERE b.exclusion_id = x.id);

-- Whatever asked whether a case is excluded (guards, orders, the protocol's content, the digest of
-- the data) asks for an exclusion that stands; nothing else of these functions changes.
DO $$
DECLARE
    asks record;
BEGIN
    FOR asks IN SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname = 'reread' AND p.prosrc ~ '(FROM|JOIN) case_exclusion' LOOP
        EXECUTE replace(pg_get_functiondef(asks.oid), 'case_exclusion', 'standing_exclusion');
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION guard_exclusion() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    PERFORM guard_act(NEW.study_id, '{draft,open}');
    IF EXISTS (SELECT FROM standing_exclusion WHERE case_id = NEW.case_id) THEN
        RAISE EXCEPTION 'Case % is excluded already', (SELECT code FROM study_case WHERE id = NEW.case_id)
            USING ERRCODE = 'RR409';
    END IF;
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE FUNCTION guard_readmission() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    found record;
BEGIN
    PERFORM guard_act(NEW.study_id, '{draft,open}');
    SELECT c.code, x.made_at, CASE c.addition WHEN 0 THEN s.opened_at ELSE n.added_at END AS drawn_from
    INTO found FROM case_exclusion x JOIN study_case c ON c.id = x.case_id JOIN study s ON s.id = c.study_id
    LEFT JOIN case_addition n ON n.study_id = c.study_id AND n.number = c.addition
    WHERE x.id = NEW.exclusion_id;
    -- Orders are drawn once: a case that was left out of the draw has no place to come back to.
    IF found.made_at < found.drawn_from THEN
        RAISE EXCEPTION 'Case % was excluded before the orders were drawn: it has no place in them, and stays excluded', found.code
            USING ERRCODE = 'RR409';
    END IF;
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON case_readmission FOR EACH ROW EXECUTE FUNCTION guard_readmission();
CREATE TRIGGER amend AFTER INSERT ON case_readmission FOR EACH ROW EXECUTE FUNCTION write_amendment();

-- ---------------------------------------------------------------- copies

-- That a study was copied: its event stands in the chain of the study it was copied from.
CREATE TABLE study_copy (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id  uuid NOT NULL REFERENCES study,  -- the source
    copy_id   uuid NOT NULL UNIQUE REFERENCES study,
    copy_code text NOT NULL,
    cases     integer NOT NULL,  -- that came along
    author    uuid NOT NULL REFERENCES account,
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (study_id <> copy_id)
);
CREATE INDEX study_copy_study ON study_copy (study_id);

CREATE FUNCTION guard_copy() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF coordinates(NEW.study_id) IS NOT TRUE OR coordinates(NEW.copy_id) IS NOT TRUE THEN
        RAISE EXCEPTION 'Only a coordinator of both studies copies one' USING ERRCODE = 'RR403';
    END IF;
    SELECT code INTO NEW.copy_code FROM study
    WHERE id = NEW.copy_id AND state = 'draft' AND created_by = actor();
    IF NEW.copy_code IS NULL THEN
        RAISE EXCEPTION 'A study is copied into a new draft of one''s own' USING ERRCODE = 'RR409';
    END IF;
    SELECT count(*) INTO NEW.cases FROM study_case n JOIN study_case c ON c.id = n.copied_from
    WHERE n.study_id = NEW.copy_id AND c.study_id = NEW.study_id;
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON study_copy FOR EACH ROW EXECUTE FUNCTION guard_copy();

-- Inside copy_cases the current user is the owner; whoever inserts directly is themselves.
CREATE OR REPLACE FUNCTION guard_recorder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user IN ('reread_coordinator', 'reread_adjudicator')
       AND NEW.recorded_by IS DISTINCT FROM actor() THEN
        RAISE EXCEPTION 'A diagnosis is recorded by the one who does it' USING ERRCODE = 'RR403';
    END IF;
    NEW.recorded_at := clock_timestamp();
    RETURN NEW;
END
$$;

-- As in 0015; a diagnosis keeps the person who recorded it.
DO $$
DECLARE
    before text := pg_get_functiondef('copy_cases(uuid, uuid, text[], text[])'::regprocedure);
    after text := replace(before, 'd.diagnosed_on, actor()', 'd.diagnosed_on, d.recorded_by');
BEGIN
    IF before = after THEN
        RAISE EXCEPTION 'copy_cases is not the one of 0015';
    END IF;
    EXECUTE after;
END
$$;

-- ---------------------------------------------------------------- seen before

-- NULL: written before it was counted; else as {"training": 2, "patient": 1, "twice": 1}.
ALTER TABLE seen_before_acknowledgement ADD by_kind jsonb;

CREATE FUNCTION count_kinds() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    SELECT coalesce(jsonb_object_agg(found.kind, found.number), '{}') INTO NEW.by_kind
    FROM (SELECT kind, count(*) AS number FROM seen_before(NEW.study_id, NEW.model_version_id)
          GROUP BY kind) AS found;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_kinds BEFORE INSERT ON seen_before_acknowledgement
    FOR EACH ROW EXECUTE FUNCTION count_kinds();

-- 0: the model was registered without a list; NULL: bound before it was written down here.
ALTER TABLE study_model ADD training_images integer, ADD training_list_sha256 text;

CREATE FUNCTION bind_list() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    SELECT images, list_sha256 INTO NEW.training_images, NEW.training_list_sha256 FROM training_list
    WHERE model_version_id = NEW.model_version_id;
    NEW.training_images := coalesce(NEW.training_images, 0);
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_list BEFORE INSERT ON study_model FOR EACH ROW EXECUTE FUNCTION bind_list();

-- ---------------------------------------------------------------- audit, append-only, rights

DO $$
DECLARE
    t record;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['case_readmission', 'study_copy'] LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON %I '
            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row(''id'')', name);
        EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON %I '
            'FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY coordinator ON %I TO reread_coordinator '
            'USING (study_id = ANY ((SELECT coordinated())::uuid[])) '
            'WITH CHECK (study_id = ANY ((SELECT coordinated())::uuid[]))', name);
        EXECUTE format('CREATE POLICY analyst ON %I FOR SELECT TO reread_analyst '
            'USING (study_id = ANY ((SELECT analysed())::uuid[]))', name);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO reread_auditor '
            'USING (study_id = ANY ((SELECT audited())::uuid[]))', name);
    END LOOP;
    FOR t IN SELECT c.relname, g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'reread' AND NOT g.tgisinternal AND g.tgenabled <> 'A' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t.relname, t.tgname);
    END LOOP;
END
$$;
CREATE POLICY account ON case_readmission FOR SELECT TO reread_account USING (true);
CREATE POLICY reader ON case_readmission FOR SELECT TO reread_reader USING (EXISTS (
    SELECT FROM assignment a WHERE a.case_id = case_readmission.case_id AND a.reader_id = actor()));

REVOKE ALL ON FUNCTION guard_readmission(), guard_copy(), count_kinds(), bind_list() FROM PUBLIC;
GRANT SELECT ON standing_exclusion TO reread_account, reread_reader, reread_coordinator, reread_analyst,
    reread_auditor;
GRANT SELECT (id) ON case_exclusion TO reread_account;
GRANT SELECT (id, made_at) ON case_exclusion TO reread_reader;
GRANT SELECT (exclusion_id, case_id, study_id) ON case_readmission TO reread_account, reread_reader;
GRANT SELECT ON case_readmission, study_copy TO reread_coordinator, reread_analyst, reread_auditor;
GRANT INSERT (exclusion_id, case_id, study_id, reason) ON case_readmission TO reread_coordinator;
GRANT INSERT (study_id, copy_id) ON study_copy TO reread_coordinator;

-- Where a case was copied from, and when it or its diagnosis came, is not the coordinator's to say.
REVOKE INSERT ON study_case, reference_diagnosis FROM reread_coordinator;
GRANT INSERT (study_id, code, patient_code, lesion_code, age, sex, anatomical_site, fitzpatrick, purpose)
    ON study_case TO reread_coordinator;
GRANT INSERT (case_id, study_id, diagnosis, source, diagnosed_on, recorded_by) ON reference_diagnosis
    TO reread_coordinator;
