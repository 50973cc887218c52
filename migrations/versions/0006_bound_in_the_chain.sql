-- The study's own chain binds which model it is about and which readers are programs (ADR 0045): so
-- far only the installation's chain held their rows, and a pack carries the study's alone.

-- ---------------------------------------------------------------- who is simulated

-- NULL: enrolled before it was written down here.
ALTER TABLE enrolment ADD simulated boolean;

CREATE FUNCTION guard_simulated() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    -- As the account was made; it never changes, and no client says it.
    NEW.simulated := (SELECT a.simulated FROM account a WHERE a.id = NEW.reader_id);
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_simulated BEFORE INSERT ON enrolment FOR EACH ROW EXECUTE FUNCTION guard_simulated();

-- ---------------------------------------------------------------- which models

-- The models with output in a study, as they were registered, when it was opened.
CREATE TABLE study_model (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id         uuid NOT NULL REFERENCES study,
    model_version_id uuid NOT NULL REFERENCES model_version,
    name             text NOT NULL,
    backbone         text NOT NULL,
    weights_sha256   text NOT NULL,
    preprocessing    text NOT NULL,
    threshold        double precision NOT NULL,
    demonstration    boolean NOT NULL,
    card_sha256      text NOT NULL,
    bound_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (study_id, model_version_id)
);

CREATE FUNCTION guard_study_model() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    m model_version;
BEGIN
    -- Whatever is sent, what was registered is written.
    SELECT * INTO STRICT m FROM model_version WHERE id = NEW.model_version_id;
    NEW.name := m.name;
    NEW.backbone := m.backbone;
    NEW.weights_sha256 := m.weights_sha256;
    NEW.preprocessing := m.preprocessing;
    NEW.threshold := m.threshold;
    NEW.demonstration := m.demonstration;
    NEW.card_sha256 := encode(sha256(convert_to(m.card, 'UTF8')), 'hex');
    NEW.bound_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON study_model FOR EACH ROW EXECUTE FUNCTION guard_study_model();
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON study_model
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row('id');
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON study_model
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON study_model
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- No prediction joins a study once it is open, so these are all.
CREATE FUNCTION bind_models() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    INSERT INTO study_model (study_id, model_version_id)
    SELECT DISTINCT c.study_id, c.model_version_id FROM case_prediction c WHERE c.study_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER bind_models AFTER UPDATE ON study FOR EACH ROW
    WHEN (OLD.state = 'draft' AND NEW.state = 'open') EXECUTE FUNCTION bind_models();

DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT c.relname, g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'reread' AND NOT g.tgisinternal AND g.tgenabled <> 'A' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t.relname, t.tgname);
    END LOOP;
END
$$;

-- Studies that are open or done: bound from now on.
INSERT INTO study_model (study_id, model_version_id)
SELECT DISTINCT c.study_id, c.model_version_id
FROM case_prediction c JOIN study s ON s.id = c.study_id WHERE s.state <> 'draft';
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;

-- ---------------------------------------------------------------- rights and rows

REVOKE ALL ON FUNCTION guard_simulated(), guard_study_model(), bind_models() FROM PUBLIC;
GRANT SELECT ON study_model TO reread_analyst, reread_auditor;
ALTER TABLE study_model ENABLE ROW LEVEL SECURITY;
CREATE POLICY analyst ON study_model FOR SELECT TO reread_analyst
    USING (study_id = ANY ((SELECT analysed())::uuid[]));
CREATE POLICY auditor ON study_model FOR SELECT TO reread_auditor
    USING (study_id = ANY ((SELECT audited())::uuid[]));
