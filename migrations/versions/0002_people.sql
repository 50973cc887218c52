-- People of a study: what readers say of themselves, what they consented to, who has which part,
-- and since when. Rows are added, never changed: the newest of a person's rows counts.

-- ---------------------------------------------------------------- accounts

-- "member": an account that neither reads nor coordinates by itself (adjudicators, auditors).
-- "administrator": the installation's accounts; takes no part in any study.
ALTER TABLE account DROP CONSTRAINT account_role_check;
ALTER TABLE account ADD CONSTRAINT account_role_check
    CHECK (role IN ('reader', 'coordinator', 'member', 'administrator'));

CREATE FUNCTION is_administrator(person uuid) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT EXISTS (SELECT FROM account
                   WHERE id = person AND role = 'administrator' AND disabled_at IS NULL)
$$;

CREATE FUNCTION guard_account() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.role, NEW.simulated, NEW.created_at)
       IS DISTINCT FROM (OLD.id, OLD.role, OLD.simulated, OLD.created_at) THEN
        RAISE EXCEPTION 'An account stays what it was made as: make another one'
            USING ERRCODE = 'RR409';
    END IF;
    IF NEW.disabled_at IS DISTINCT FROM OLD.disabled_at AND session_user = 'reread_account' THEN
        IF NOT is_administrator(actor()) THEN
            RAISE EXCEPTION 'Accounts are disabled and enabled by an administrator'
                USING ERRCODE = 'RR403';
        END IF;
        -- So that there is always one administrator left.
        IF NEW.id = actor() THEN
            RAISE EXCEPTION 'Nobody disables their own account: ask another administrator'
                USING ERRCODE = 'RR409';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION guard_account();

-- ---------------------------------------------------------------- parts in a study

ALTER TABLE invitation ADD COLUMN role text NOT NULL DEFAULT 'reader'
    CHECK (role IN ('reader', 'coordinator', 'adjudicator', 'auditor'));

-- Readers have their enrolment, coordinators their row; this says who adjudicates and audits, and
-- whose part, a reader's as well, has ended.
CREATE TABLE membership (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,  -- the newest row counts
    study_id   uuid NOT NULL REFERENCES study,
    account_id uuid NOT NULL REFERENCES account,
    role       text NOT NULL CHECK (role IN ('reader', 'adjudicator', 'auditor')),
    active     boolean NOT NULL,
    reason     text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    changed_by uuid NOT NULL REFERENCES account,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX membership_person ON membership (study_id, account_id, role, number);
CREATE INDEX membership_account ON membership (account_id);

CREATE FUNCTION has_part(of_study uuid, person uuid, part text) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(
        (SELECT active FROM membership
         WHERE study_id = of_study AND account_id = person AND role = part
         ORDER BY number DESC LIMIT 1),
        part = 'reader'
        AND EXISTS (SELECT FROM enrolment WHERE study_id = of_study AND reader_id = person))
$$;

CREATE FUNCTION guard_part() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Arguments: the column that names the person, and the part (a membership names its own).
DECLARE
    person uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
    wanted text := coalesce(TG_ARGV[1], to_jsonb(NEW) ->> 'role');
    who    record;
    taken  text;
BEGIN
    -- Two parts given at the same moment wait for each other.
    PERFORM pg_advisory_xact_lock(7003, hashtext(NEW.study_id::text || person::text));
    SELECT name, role INTO who FROM account WHERE id = person;
    IF who.role = 'administrator' THEN
        RAISE EXCEPTION '% administers the installation and takes no part in a study', who.name
            USING ERRCODE = 'RR403';
    END IF;
    -- A part that has ended counts too: what an adjudicator has seen is not forgotten.
    SELECT part INTO taken FROM (
        SELECT 'reader' AS part FROM enrolment WHERE study_id = NEW.study_id AND reader_id = person
        UNION SELECT 'coordinator' FROM coordinator
              WHERE study_id = NEW.study_id AND account_id = person
        UNION SELECT 'coordinator' FROM study WHERE id = NEW.study_id AND created_by = person
        UNION SELECT role FROM membership
              WHERE study_id = NEW.study_id AND account_id = person) AS held
    WHERE part <> wanted ORDER BY part LIMIT 1;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION '% is or was % of this study and cannot become its %: each person has one part, so that nobody reads who knows the diagnoses',
            who.name, taken, wanted USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_part BEFORE INSERT ON enrolment
    FOR EACH ROW EXECUTE FUNCTION guard_part('reader_id', 'reader');
CREATE TRIGGER guard_part BEFORE INSERT ON coordinator
    FOR EACH ROW EXECUTE FUNCTION guard_part('account_id', 'coordinator');
CREATE TRIGGER guard_part BEFORE INSERT ON membership
    FOR EACH ROW EXECUTE FUNCTION guard_part('account_id');

CREATE FUNCTION invited(of_study uuid, person uuid, part text, inviter uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT EXISTS (SELECT FROM invitation WHERE study_id = of_study AND accepted_by = person
                   AND role = part AND (inviter IS NULL OR invited_by = inviter))
$$;

CREATE FUNCTION guard_membership() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    -- Exclusive: a reader's step that is under way ends before their part does, or is refused.
    PERFORM pg_advisory_xact_lock(7001, hashtext(NEW.study_id::text));
    IF session_user = 'reread_account' THEN
        IF NEW.role = 'reader' OR NOT NEW.active
           OR NOT invited(NEW.study_id, NEW.account_id, NEW.role, NEW.changed_by) THEN
            RAISE EXCEPTION 'A part is taken up by invitation only' USING ERRCODE = 'RR403';
        END IF;
    ELSE
        IF NEW.changed_by IS DISTINCT FROM actor() THEN
            RAISE EXCEPTION 'A part is ended or given back by the one who does it'
                USING ERRCODE = 'RR403';
        END IF;
        IF NOT EXISTS (SELECT FROM enrolment WHERE study_id = NEW.study_id
                       AND reader_id = NEW.account_id AND NEW.role = 'reader')
           AND NOT EXISTS (SELECT FROM membership WHERE study_id = NEW.study_id
                           AND account_id = NEW.account_id AND role = NEW.role) THEN
            RAISE EXCEPTION 'This person has no such part in the study: invite them'
                USING ERRCODE = 'RR409';
        END IF;
    END IF;
    IF NEW.active = has_part(NEW.study_id, NEW.account_id, NEW.role) THEN
        RAISE EXCEPTION 'Nothing to change: the part is % already',
            CASE WHEN NEW.active THEN 'held' ELSE 'ended' END USING ERRCODE = 'RR409';
    END IF;
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON membership
    FOR EACH ROW EXECUTE FUNCTION guard_membership();

CREATE FUNCTION guard_coordinator() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF session_user = 'reread_account'
       AND NOT invited(NEW.study_id, NEW.account_id, 'coordinator', NULL) THEN
        RAISE EXCEPTION 'A part is taken up by invitation only' USING ERRCODE = 'RR403';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON coordinator
    FOR EACH ROW EXECUTE FUNCTION guard_coordinator();

-- ---------------------------------------------------------------- profile and consent

CREATE TABLE reader_profile (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number           bigint GENERATED ALWAYS AS IDENTITY UNIQUE,  -- the newest row counts
    study_id         uuid NOT NULL,
    reader_id        uuid NOT NULL,
    years_experience integer NOT NULL CHECK (years_experience BETWEEN 0 AND 70),
    -- Lists, no free text: the log is exported, and a free text may name its author.
    specialty        text NOT NULL CHECK (specialty IN ('dermatology', 'general practice',
                         'plastic surgery', 'oncology', 'pathology', 'other')),
    training         text NOT NULL CHECK (training IN ('specialist', 'in training',
                         'medical student', 'other')),
    given_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (study_id, reader_id) REFERENCES enrolment (study_id, reader_id)
);
CREATE INDEX reader_profile_reader ON reader_profile (study_id, reader_id, number);

CREATE FUNCTION guard_profile() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF NEW.reader_id IS DISTINCT FROM actor() THEN
        RAISE EXCEPTION 'Readers say themselves who they are' USING ERRCODE = 'RR403';
    END IF;
    IF EXISTS (SELECT FROM reading WHERE study_id = NEW.study_id AND reader_id = NEW.reader_id) THEN
        RAISE EXCEPTION 'Your first call is locked: what you said about yourself stays as it is'
            USING ERRCODE = 'RR409';
    END IF;
    NEW.given_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON reader_profile
    FOR EACH ROW EXECUTE FUNCTION guard_profile();

CREATE TABLE consent_text (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id   uuid NOT NULL REFERENCES study,
    version    integer NOT NULL CHECK (version > 0),
    text       text NOT NULL CHECK (length(btrim(text)) BETWEEN 1 AND 50000),
    written_by uuid NOT NULL REFERENCES account,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (study_id, version),
    UNIQUE (id, study_id)
);

CREATE FUNCTION guard_consent_text() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    s record;
BEGIN
    PERFORM pg_advisory_xact_lock(7001, hashtext(NEW.study_id::text));
    SELECT code, state INTO s FROM study WHERE id = NEW.study_id;
    IF s.state NOT IN ('draft', 'open') THEN
        RAISE EXCEPTION 'The study "%" is %: nobody reads any more', s.code, s.state
            USING ERRCODE = 'RR409';
    END IF;
    IF NEW.written_by IS DISTINCT FROM actor() THEN
        RAISE EXCEPTION 'A consent text is written by the one who does it' USING ERRCODE = 'RR403';
    END IF;
    NEW.version := 1 + coalesce(
        (SELECT max(version) FROM consent_text WHERE study_id = NEW.study_id), 0);
    NEW.written_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON consent_text
    FOR EACH ROW EXECUTE FUNCTION guard_consent_text();

CREATE TABLE consent (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id        uuid NOT NULL,
    reader_id       uuid NOT NULL,
    consent_text_id uuid NOT NULL,
    accepted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (consent_text_id, reader_id),
    FOREIGN KEY (consent_text_id, study_id) REFERENCES consent_text (id, study_id),
    FOREIGN KEY (study_id, reader_id) REFERENCES enrolment (study_id, reader_id)
);
CREATE INDEX consent_reader ON consent (study_id, reader_id);

CREATE FUNCTION guard_consent() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF NEW.reader_id IS DISTINCT FROM actor() THEN
        RAISE EXCEPTION 'Consent is given by the reader' USING ERRCODE = 'RR403';
    END IF;
    IF NEW.consent_text_id IS DISTINCT FROM (SELECT id FROM consent_text
            WHERE study_id = NEW.study_id ORDER BY version DESC LIMIT 1) THEN
        RAISE EXCEPTION 'This text has been replaced by a newer version: read that one'
            USING ERRCODE = 'RR409';
    END IF;
    NEW.accepted_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON consent
    FOR EACH ROW EXECUTE FUNCTION guard_consent();

CREATE FUNCTION guard_may_read() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Under the lock that "guard" has taken: no part ends, and no consent text appears, meanwhile.
DECLARE
    newest record;
BEGIN
    IF NOT has_part(NEW.study_id, NEW.reader_id, 'reader') THEN
        RAISE EXCEPTION 'Your part in this study has been ended by its coordinator'
            USING ERRCODE = 'RR403';
    END IF;
    SELECT id, version INTO newest FROM consent_text
    WHERE study_id = NEW.study_id ORDER BY version DESC LIMIT 1;
    -- A program consents to nothing.
    IF newest.id IS NULL OR (SELECT simulated FROM account WHERE id = NEW.reader_id) THEN
        RETURN NEW;
    END IF;
    -- A new case needs the newest version; a case under way is finished with the one before it.
    IF NOT EXISTS (SELECT FROM consent WHERE study_id = NEW.study_id AND reader_id = NEW.reader_id
                   AND (TG_TABLE_NAME <> 'served' OR consent_text_id = newest.id)) THEN
        RAISE EXCEPTION 'Reading begins with your consent: read version % of its text first',
            newest.version USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
-- After "guard" and before "guard_step", by their names.
CREATE TRIGGER guard_may_read BEFORE INSERT ON served
    FOR EACH ROW EXECUTE FUNCTION guard_may_read();
CREATE TRIGGER guard_may_read BEFORE INSERT ON reading
    FOR EACH ROW EXECUTE FUNCTION guard_may_read();
CREATE TRIGGER guard_may_read BEFORE INSERT ON reveal
    FOR EACH ROW EXECUTE FUNCTION guard_may_read();

-- ---------------------------------------------------------------- the reference standard

ALTER TABLE reference_diagnosis ADD COLUMN diagnosed_on date
    CHECK (diagnosed_on BETWEEN '1900-01-01' AND recorded_at::date + 1);

CREATE FUNCTION guard_recorder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF session_user IN ('reread_coordinator', 'reread_adjudicator')
       AND NEW.recorded_by IS DISTINCT FROM actor() THEN
        RAISE EXCEPTION 'A diagnosis is recorded by the one who does it' USING ERRCODE = 'RR403';
    END IF;
    NEW.recorded_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON reference_diagnosis
    FOR EACH ROW EXECUTE FUNCTION guard_recorder();

-- ---------------------------------------------------------------- events

CREATE OR REPLACE FUNCTION record_event(of_study uuid, the_action text, the_entity text, details jsonb)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF the_action !~ '^(sign_in|sign_out|results|export|message|audit)\.[a-z_]+$' THEN
        RAISE EXCEPTION 'record_event does not write "%": table changes write their own event', the_action
            USING ERRCODE = 'RR403';
    END IF;
    -- Into a study's chain only those write who coordinate it, or audit it and say that they
    -- looked; signing in concerns no study.
    IF the_action ~ '^sign_' AND of_study IS NOT NULL
       OR the_action ~ '^audit' AND has_part(of_study, actor(), 'auditor') IS NOT TRUE
       OR the_action !~ '^(sign_|audit)' AND coordinates(of_study) IS NOT TRUE THEN
        RAISE EXCEPTION 'Not an event for this chain' USING ERRCODE = 'RR403';
    END IF;
    PERFORM append_event(of_study, the_action, the_entity, details::text);
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['membership', 'reader_profile', 'consent_text', 'consent'] LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON %I '
            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row(''id'')', name);
        EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON %I '
            'FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END
$$;

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

-- ---------------------------------------------------------------- whose studies

-- Asked once a statement, where coordinates() and its like are asked once a row: a study of
-- 20 readers and 700 cases has 70,000 rows.
CREATE FUNCTION coordinated() RETURNS uuid[] LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(array_agg(id), '{}') FROM (
        SELECT study_id AS id FROM coordinator WHERE account_id = actor()
        UNION SELECT id FROM study WHERE created_by = actor()) AS mine
$$;
CREATE FUNCTION analysed() RETURNS uuid[] LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(array_agg(id), '{}') FROM study
    WHERE id = ANY (coordinated()) AND state = 'unblinded'
$$;
CREATE FUNCTION adjudicated() RETURNS uuid[] LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT study_id), '{}') FROM membership
    WHERE account_id = actor() AND role = 'adjudicator' AND has_part(study_id, actor(), 'adjudicator')
$$;
CREATE FUNCTION audited() RETURNS uuid[] LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT study_id), '{}') FROM membership
    WHERE account_id = actor() AND role = 'auditor' AND has_part(study_id, actor(), 'auditor')
$$;

CREATE OR REPLACE FUNCTION in_my_studies(person uuid) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT person = actor() OR EXISTS (
        SELECT FROM unnest(coordinated() || audited()) AS mine (id)
        WHERE EXISTS (SELECT FROM enrolment WHERE reader_id = person AND study_id = mine.id)
           OR EXISTS (SELECT FROM coordinator WHERE account_id = person AND study_id = mine.id)
           OR EXISTS (SELECT FROM membership WHERE account_id = person AND study_id = mine.id))
$$;

-- When a reader was last signed in, for those who wait for them; nothing else of a session.
CREATE FUNCTION last_seen(of_study uuid) RETURNS TABLE (reader_id uuid, seen_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT e.reader_id, max(s.last_seen_at)
    FROM enrolment e JOIN sign_in_session s ON s.account_id = e.reader_id
    WHERE e.study_id = of_study AND of_study = ANY (coordinated()) GROUP BY e.reader_id
$$;

-- ---------------------------------------------------------------- rights

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA reread FROM PUBLIC;
GRANT USAGE ON SCHEMA reread TO reread_adjudicator, reread_auditor;
GRANT EXECUTE ON FUNCTION actor() TO reread_adjudicator, reread_auditor;
GRANT EXECUTE ON FUNCTION record_event(uuid, text, text, jsonb) TO reread_auditor;
GRANT EXECUTE ON FUNCTION coordinated(), last_seen(uuid) TO reread_coordinator;
GRANT EXECUTE ON FUNCTION coordinated(), analysed() TO reread_analyst;
GRANT EXECUTE ON FUNCTION adjudicated() TO reread_adjudicator;
GRANT EXECUTE ON FUNCTION audited(), in_my_studies(uuid) TO reread_auditor;

GRANT INSERT (study_id, account_id, role, active, reason, changed_by) ON membership
    TO reread_account, reread_coordinator;
GRANT INSERT ON coordinator TO reread_account;
GRANT SELECT ON membership, reader_profile, consent_text, consent TO reread_coordinator, reread_analyst;
GRANT INSERT (study_id, text, written_by) ON consent_text TO reread_coordinator;
GRANT SELECT (role) ON invitation TO reread_coordinator;
GRANT SELECT (diagnosed_on) ON reference_diagnosis TO reread_coordinator;
GRANT SELECT ON membership, reader_profile, consent_text, consent TO reread_reader;
GRANT INSERT (study_id, reader_id, years_experience, specialty, training) ON reader_profile TO reread_reader;
GRANT INSERT (study_id, reader_id, consent_text_id) ON consent TO reread_reader;

-- Adjudicators: the cases and their diagnoses, and nothing of any reading or prediction.
GRANT SELECT (id, code, title, state, positive_class, demonstration) ON study TO reread_adjudicator;
GRANT SELECT ON study_case TO reread_adjudicator;
GRANT SELECT (id, study_id, case_id, position, modality, storage_key, width, height, synthetic) ON image TO reread_adjudicator;
GRANT SELECT ON reference_diagnosis TO reread_adjudicator;
GRANT INSERT (case_id, study_id, diagnosis, source, diagnosed_on, recorded_by) ON reference_diagnosis TO reread_adjudicator;

-- Auditors: everything of the study, in every state, and no right to change any of it.
GRANT SELECT (id, name, role, simulated) ON account TO reread_auditor;
GRANT SELECT ON study, coordinator, model_version, study_case, image, reference_diagnosis, prediction, case_prediction,
    enrolment, allocation, assignment, served, reading, reveal, audit_event, membership, reader_profile,
    consent_text, consent TO reread_auditor;

-- ---------------------------------------------------------------- row-level security

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['membership', 'reader_profile', 'consent_text', 'consent'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY coordinator ON %I TO reread_coordinator USING (true)', name);
        EXECUTE format('CREATE POLICY analyst ON %I FOR SELECT TO reread_analyst USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['study_case', 'image', 'reference_diagnosis', 'prediction', 'case_prediction',
        'enrolment', 'allocation', 'assignment', 'served', 'reading', 'reveal', 'coordinator', 'invitation',
        'membership', 'reader_profile', 'consent_text', 'consent'] LOOP
        EXECUTE format('ALTER POLICY coordinator ON %I USING (study_id = ANY ((SELECT coordinated())::uuid[])) '
            'WITH CHECK (study_id = ANY ((SELECT coordinated())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['study_case', 'image', 'reference_diagnosis', 'prediction', 'case_prediction',
        'enrolment', 'allocation', 'assignment', 'served', 'reading', 'reveal',
        'membership', 'reader_profile', 'consent_text', 'consent'] LOOP
        EXECUTE format('ALTER POLICY analyst ON %I USING (study_id = ANY ((SELECT analysed())::uuid[]))', name);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO reread_auditor '
            'USING (study_id = ANY ((SELECT audited())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['study_case', 'image', 'reference_diagnosis'] LOOP
        EXECUTE format('CREATE POLICY adjudicator ON %I TO reread_adjudicator '
            'USING (study_id = ANY ((SELECT adjudicated())::uuid[])) '
            'WITH CHECK (study_id = ANY ((SELECT adjudicated())::uuid[]))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['reader_profile', 'consent'] LOOP
        EXECUTE format('CREATE POLICY reader ON %I TO reread_reader '
            'USING (reader_id = actor()) WITH CHECK (reader_id = actor())', name);
    END LOOP;
END
$$;
ALTER POLICY analyst ON audit_event USING (chain = ANY ((SELECT analysed())::uuid[]));
CREATE POLICY auditor ON audit_event FOR SELECT TO reread_auditor USING (chain = ANY ((SELECT audited())::uuid[]));
CREATE POLICY auditor ON study FOR SELECT TO reread_auditor USING (id = ANY ((SELECT audited())::uuid[]));
CREATE POLICY auditor ON coordinator FOR SELECT TO reread_auditor USING (study_id = ANY ((SELECT audited())::uuid[]));
CREATE POLICY auditor ON account FOR SELECT TO reread_auditor USING (in_my_studies(id));
CREATE POLICY adjudicator ON study FOR SELECT TO reread_adjudicator USING (id = ANY ((SELECT adjudicated())::uuid[]));
CREATE POLICY account ON coordinator FOR INSERT TO reread_account WITH CHECK (true);
CREATE POLICY account ON membership FOR INSERT TO reread_account WITH CHECK (true);
CREATE POLICY reader ON membership FOR SELECT TO reread_reader USING (account_id = actor());
CREATE POLICY reader ON consent_text FOR SELECT TO reread_reader USING (
    study_id IN (SELECT study_id FROM enrolment WHERE reader_id = actor()));
