-- The first schema. Everything the protocol forbids is refused here, so that it holds
-- against any client: the application, a script, the owner of the tables.
--
-- SQLSTATEs of our own refusals end in the HTTP status the web answers with:
--   RR403 not yours, RR404 not there, RR409 not now.

-- ---------------------------------------------------------------- small helpers

CREATE FUNCTION actor() RETURNS uuid LANGUAGE sql STABLE AS $$
    -- Who acts, as the application said for this transaction; NULL when nobody.
    SELECT nullif(current_setting('reread.actor', true), '')::uuid
$$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% in %.% is refused: rows here are never changed or removed',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'RR409';
END
$$;

-- ---------------------------------------------------------------- people

CREATE TABLE account (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email         text NOT NULL UNIQUE CHECK (email = lower(email) AND email ~ '^[^@\s]+@[^@\s]+$'),
    name          text NOT NULL CHECK (length(btrim(name)) BETWEEN 1 AND 200),
    role          text NOT NULL CHECK (role IN ('reader', 'coordinator')),
    password_hash text,
    simulated     boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at   timestamptz,
    -- A simulated reader is a program: it has no password and can never sign in.
    CHECK (NOT simulated OR (role = 'reader' AND password_hash IS NULL))
);

CREATE TABLE sign_in_session (
    token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    account_id   uuid NOT NULL REFERENCES account,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    confirmed_at timestamptz NOT NULL  -- when the password was last entered
);
CREATE INDEX sign_in_session_account ON sign_in_session (account_id);

CREATE TABLE sign_in_failure (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email_sha256 bytea NOT NULL,
    address      text NOT NULL,
    failed_at    timestamptz NOT NULL
);
CREATE INDEX sign_in_failure_email ON sign_in_failure (email_sha256, failed_at);
CREATE INDEX sign_in_failure_address ON sign_in_failure (address, failed_at);

-- ---------------------------------------------------------------- model and study

CREATE TABLE model_version (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name           text NOT NULL,
    backbone       text NOT NULL,
    weights_sha256 text NOT NULL CHECK (weights_sha256 ~ '^[0-9a-f]{64}$'),
    preprocessing  text NOT NULL,
    threshold      double precision NOT NULL CHECK (threshold > 0 AND threshold < 1),
    map_scale      double precision NOT NULL CHECK (map_scale > 0),
    map_rows       integer NOT NULL CHECK (map_rows > 0),
    map_columns    integer NOT NULL CHECK (map_columns > 0),
    demonstration  boolean NOT NULL,
    card           text NOT NULL,
    registered_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (name, weights_sha256, preprocessing)
);

CREATE TABLE study (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code                 text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9][a-z0-9-]{1,39}$'),
    title                text NOT NULL CHECK (length(btrim(title)) BETWEEN 1 AND 200),
    instructions         text NOT NULL DEFAULT '',
    positive_class       text NOT NULL DEFAULT 'BCC' CHECK (positive_class IN ('BCC', 'SK')),
    state                text NOT NULL DEFAULT 'draft'
                         CHECK (state IN ('draft', 'open', 'closed', 'unblinded')),
    seed                 bigint NOT NULL CHECK (seed >= 0),
    allocation_algorithm text NOT NULL,
    model_version_id     uuid REFERENCES model_version,
    demonstration        boolean NOT NULL DEFAULT false,
    created_by           uuid NOT NULL REFERENCES account,
    created_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_by            uuid REFERENCES account,
    opened_at            timestamptz,
    closed_by            uuid REFERENCES account,
    closed_at            timestamptz,
    unblinded_by         uuid REFERENCES account,
    unblinded_at         timestamptz,
    unblinding_reason    text CHECK (length(btrim(unblinding_reason)) BETWEEN 1 AND 2000),
    data_sha256          text,
    CHECK (state = 'draft' OR (opened_by IS NOT NULL AND opened_at IS NOT NULL
                               AND model_version_id IS NOT NULL)),
    CHECK (state IN ('draft', 'open') OR (closed_by IS NOT NULL AND closed_at IS NOT NULL)),
    CHECK ((state = 'unblinded') = (unblinded_by IS NOT NULL AND unblinded_at IS NOT NULL
                                    AND unblinding_reason IS NOT NULL AND data_sha256 IS NOT NULL))
);

CREATE TABLE coordinator (
    study_id   uuid NOT NULL REFERENCES study,
    account_id uuid NOT NULL REFERENCES account,
    PRIMARY KEY (study_id, account_id)
);
CREATE INDEX coordinator_account ON coordinator (account_id);

CREATE TABLE invitation (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id     uuid NOT NULL REFERENCES study,
    email        text NOT NULL CHECK (email = lower(email) AND email ~ '^[^@\s]+@[^@\s]+$'),
    token_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(token_sha256) = 32),
    invited_by   uuid NOT NULL REFERENCES account,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    accepted_by  uuid REFERENCES account,
    accepted_at  timestamptz,
    CHECK ((accepted_by IS NULL) = (accepted_at IS NULL))
);
CREATE INDEX invitation_study ON invitation (study_id);

-- ---------------------------------------------------------------- cases

CREATE TABLE study_case (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id        uuid NOT NULL REFERENCES study,
    code            text NOT NULL CHECK (code ~ '^[A-Za-z0-9_.-]{1,64}$'),  -- never shown to a reader
    patient_code    text,
    lesion_code     text,
    age             numeric CHECK (age BETWEEN 0 AND 120),
    sex             text,
    anatomical_site text,
    fitzpatrick     text,
    imported_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (study_id, code),
    UNIQUE (id, study_id)
);

CREATE TABLE image (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id    uuid NOT NULL,
    case_id     uuid NOT NULL,
    position    integer NOT NULL CHECK (position > 0),
    modality    text NOT NULL CHECK (modality IN ('dermoscopic', 'clinical', 'other')),
    storage_key text NOT NULL UNIQUE,
    sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    width       integer NOT NULL CHECK (width > 0),
    height      integer NOT NULL CHECK (height > 0),
    synthetic   boolean NOT NULL,
    UNIQUE (case_id, position),
    UNIQUE (id, study_id),
    FOREIGN KEY (case_id, study_id) REFERENCES study_case (id, study_id)
);
CREATE INDEX image_study ON image (study_id);

-- The reference standard stands apart: no reader-facing role can read it.
CREATE TABLE reference_diagnosis (
    case_id     uuid PRIMARY KEY,
    study_id    uuid NOT NULL,
    diagnosis   text NOT NULL CHECK (diagnosis IN ('BCC', 'SK')),
    source      text NOT NULL,
    recorded_by uuid NOT NULL REFERENCES account,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (case_id, study_id) REFERENCES study_case (id, study_id)
);
CREATE INDEX reference_diagnosis_study ON reference_diagnosis (study_id);

-- ---------------------------------------------------------------- predictions

CREATE TABLE prediction (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id         uuid NOT NULL,
    image_id         uuid NOT NULL,
    model_version_id uuid NOT NULL REFERENCES model_version,
    probability      double precision NOT NULL CHECK (probability >= 0 AND probability <= 1),
    overlay_key      text NOT NULL UNIQUE,
    overlay_sha256   text NOT NULL CHECK (overlay_sha256 ~ '^[0-9a-f]{64}$'),
    device           text NOT NULL,
    predicted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (image_id, model_version_id),
    FOREIGN KEY (image_id, study_id) REFERENCES image (id, study_id)
);
CREATE INDEX prediction_study ON prediction (study_id);

CREATE TABLE case_prediction (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id         uuid NOT NULL,
    case_id          uuid NOT NULL,
    model_version_id uuid NOT NULL REFERENCES model_version,
    probability      double precision NOT NULL CHECK (probability >= 0 AND probability <= 1),
    call             text NOT NULL CHECK (call IN ('BCC', 'SK')),
    images           integer NOT NULL CHECK (images > 0),
    predicted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (case_id, model_version_id),
    UNIQUE (id, case_id),
    FOREIGN KEY (case_id, study_id) REFERENCES study_case (id, study_id)
);
CREATE INDEX case_prediction_study ON case_prediction (study_id);

-- ---------------------------------------------------------------- allocation

CREATE TABLE enrolment (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id    uuid NOT NULL REFERENCES study,
    reader_id   uuid NOT NULL REFERENCES account,
    enrolled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (study_id, reader_id),
    UNIQUE (id, study_id, reader_id)
);
CREATE INDEX enrolment_reader ON enrolment (reader_id);

CREATE TABLE allocation (
    enrolment_id uuid PRIMARY KEY,
    study_id     uuid NOT NULL,
    reader_id    uuid NOT NULL,
    seed         bigint NOT NULL,
    algorithm    text NOT NULL,
    cases        integer NOT NULL CHECK (cases > 0),
    order_sha256 text NOT NULL CHECK (order_sha256 ~ '^[0-9a-f]{64}$'),
    drawn_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    drawn_in     xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- the transaction
    FOREIGN KEY (enrolment_id, study_id, reader_id) REFERENCES enrolment (id, study_id, reader_id)
);

CREATE TABLE assignment (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    enrolment_id uuid NOT NULL REFERENCES allocation,
    study_id     uuid NOT NULL,
    reader_id    uuid NOT NULL,
    case_id      uuid NOT NULL,
    position     integer NOT NULL CHECK (position > 0),
    UNIQUE (enrolment_id, position),
    UNIQUE (enrolment_id, case_id),
    UNIQUE (id, study_id, reader_id),
    UNIQUE (id, case_id),
    FOREIGN KEY (enrolment_id, study_id, reader_id) REFERENCES enrolment (id, study_id, reader_id),
    FOREIGN KEY (case_id, study_id) REFERENCES study_case (id, study_id)
);
CREATE INDEX assignment_study_reader ON assignment (study_id, reader_id, position);
CREATE INDEX assignment_case ON assignment (case_id);

-- ---------------------------------------------------------------- the reading
-- assignment -> served -> reading (unaided) -> reveal -> reading (aided):
-- each step's foreign key is the step before it, so none can be skipped.

CREATE TABLE served (
    assignment_id uuid PRIMARY KEY,
    study_id      uuid NOT NULL,
    reader_id     uuid NOT NULL,
    served_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (assignment_id, study_id, reader_id) REFERENCES assignment (id, study_id, reader_id)
);
CREATE INDEX served_study ON served (study_id);

CREATE TABLE reading (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    assignment_id       uuid NOT NULL REFERENCES served,
    study_id            uuid NOT NULL,
    reader_id           uuid NOT NULL,
    phase               text NOT NULL CHECK (phase IN ('unaided', 'aided')),
    call                text NOT NULL CHECK (call IN ('BCC', 'SK')),
    confidence          smallint NOT NULL CHECK (confidence BETWEEN 0 AND 100),
    submission_id       uuid NOT NULL UNIQUE,
    active_milliseconds integer CHECK (active_milliseconds BETWEEN 0 AND 86400000),
    locked_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    locked_in           xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- the transaction
    after_reveal        uuid GENERATED ALWAYS AS
                        (CASE phase WHEN 'aided' THEN assignment_id END) STORED,
    UNIQUE (assignment_id, phase),
    FOREIGN KEY (assignment_id, study_id, reader_id) REFERENCES assignment (id, study_id, reader_id)
);
CREATE INDEX reading_study ON reading (study_id);

CREATE TABLE reveal (
    assignment_id      uuid PRIMARY KEY,
    study_id           uuid NOT NULL,
    reader_id          uuid NOT NULL,
    case_id            uuid NOT NULL,
    case_prediction_id uuid NOT NULL,
    software_version   text NOT NULL,
    revealed_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    revealed_in        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    after_phase        text NOT NULL GENERATED ALWAYS AS ('unaided'::text) STORED,
    FOREIGN KEY (assignment_id, after_phase) REFERENCES reading (assignment_id, phase),
    FOREIGN KEY (assignment_id, study_id, reader_id) REFERENCES assignment (id, study_id, reader_id),
    -- What is shown is the prediction of this very case.
    FOREIGN KEY (assignment_id, case_id) REFERENCES assignment (id, case_id),
    FOREIGN KEY (case_prediction_id, case_id) REFERENCES case_prediction (id, case_id)
);
CREATE INDEX reveal_study ON reveal (study_id);
ALTER TABLE reading ADD FOREIGN KEY (after_reveal) REFERENCES reveal (assignment_id);

-- ---------------------------------------------------------------- the study's life

CREATE FUNCTION guard_study() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    missing text;
BEGIN
    -- Readers hold this lock shared while they write; closing waits for none of their rows
    -- and no row slips in after it.
    PERFORM pg_advisory_xact_lock(7001, hashtext(NEW.id::text));
    IF NEW.id <> OLD.id OR OLD.state <> 'draft' AND
       (OLD.code, OLD.positive_class, OLD.seed, OLD.allocation_algorithm, OLD.model_version_id,
        OLD.instructions, OLD.demonstration, OLD.created_by, OLD.created_at)
       IS DISTINCT FROM
       (NEW.code, NEW.positive_class, NEW.seed, NEW.allocation_algorithm, NEW.model_version_id,
        NEW.instructions, NEW.demonstration, NEW.created_by, NEW.created_at) THEN
        RAISE EXCEPTION 'The study "%" is %: its instruments, model version and allocation are frozen',
            OLD.code, OLD.state USING ERRCODE = 'RR409';
    END IF;
    -- Times and the data hash are the database's own, whatever the client sends.
    NEW.opened_at := OLD.opened_at;
    NEW.closed_at := OLD.closed_at;
    NEW.unblinded_at := OLD.unblinded_at;
    NEW.data_sha256 := OLD.data_sha256;
    IF (NEW.opened_by IS DISTINCT FROM OLD.opened_by
        AND (OLD.state, NEW.state) <> ('draft', 'open'))
       OR (NEW.closed_by IS DISTINCT FROM OLD.closed_by
           AND (OLD.state, NEW.state) <> ('open', 'closed'))
       OR ((NEW.unblinded_by, NEW.unblinding_reason)
           IS DISTINCT FROM (OLD.unblinded_by, OLD.unblinding_reason)
           AND (OLD.state, NEW.state) <> ('closed', 'unblinded')) THEN
        RAISE EXCEPTION 'Who opened, closed or unblinded a study is written down as it happens, once'
            USING ERRCODE = 'RR409';
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF (CASE NEW.state WHEN 'open' THEN NEW.opened_by WHEN 'closed' THEN NEW.closed_by
        ELSE NEW.unblinded_by END) IS DISTINCT FROM actor() THEN
        RAISE EXCEPTION 'A study is opened, closed or unblinded by the one who does it'
            USING ERRCODE = 'RR403';
    END IF;
    CASE OLD.state || ' to ' || NEW.state
    WHEN 'draft to open' THEN
        IF NOT EXISTS (SELECT FROM study_case WHERE study_id = NEW.id) THEN
            RAISE EXCEPTION 'The study "%" has no cases: import them first', OLD.code
                USING ERRCODE = 'RR409';
        END IF;
        SELECT c.code INTO missing FROM study_case c
        WHERE c.study_id = NEW.id AND (
            NOT EXISTS (SELECT FROM image i WHERE i.case_id = c.id)
            OR NOT EXISTS (SELECT FROM reference_diagnosis r WHERE r.case_id = c.id)
            OR NOT EXISTS (SELECT FROM case_prediction p WHERE p.case_id = c.id
                           AND p.model_version_id = NEW.model_version_id)
            OR EXISTS (SELECT FROM image i WHERE i.case_id = c.id AND NOT EXISTS
                       (SELECT FROM prediction p WHERE p.image_id = i.id
                        AND p.model_version_id = NEW.model_version_id)))
        ORDER BY c.code LIMIT 1;
        -- Also when no model version is chosen: then no case has its prediction.
        IF missing IS NOT NULL THEN
            RAISE EXCEPTION 'The study "%" cannot open: case % lacks its image, reference standard or prediction',
                OLD.code, missing USING ERRCODE = 'RR409';
        END IF;
        NEW.opened_at := clock_timestamp();
    WHEN 'open to closed' THEN
        NEW.closed_at := clock_timestamp();
    WHEN 'closed to unblinded' THEN
        NEW.unblinded_at := clock_timestamp();
        SELECT encode(sha256(convert_to(coalesce(string_agg(
                   concat_ws(',', assignment_id, phase, call, confidence, submission_id), E'\n'
                   ORDER BY assignment_id, phase), ''), 'UTF8')), 'hex')
        INTO NEW.data_sha256 FROM reading WHERE study_id = NEW.id;
    ELSE
        RAISE EXCEPTION 'The study "%" is %: it cannot become %', OLD.code, OLD.state, NEW.state
            USING ERRCODE = 'RR409';
    END CASE;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE UPDATE ON study FOR EACH ROW EXECUTE FUNCTION guard_study();

CREATE FUNCTION guard_new_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'draft' THEN
        RAISE EXCEPTION 'A study begins as a draft' USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_new BEFORE INSERT ON study FOR EACH ROW EXECUTE FUNCTION guard_new_study();

CREATE FUNCTION guard_draft() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Cases, images, reference standard and predictions arrive while the study is a draft.
DECLARE
    s record;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7001, hashtext(NEW.study_id::text));
    SELECT code, state INTO s FROM study WHERE id = NEW.study_id;
    IF s.state <> 'draft' THEN
        RAISE EXCEPTION 'The study "%" is %: its cases and predictions are frozen', s.code, s.state
            USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON study_case FOR EACH ROW EXECUTE FUNCTION guard_draft();
CREATE TRIGGER guard BEFORE INSERT ON image FOR EACH ROW EXECUTE FUNCTION guard_draft();
CREATE TRIGGER guard BEFORE INSERT ON reference_diagnosis FOR EACH ROW EXECUTE FUNCTION guard_draft();
CREATE TRIGGER guard BEFORE INSERT ON prediction FOR EACH ROW EXECUTE FUNCTION guard_draft();
CREATE TRIGGER guard BEFORE INSERT ON case_prediction FOR EACH ROW EXECUTE FUNCTION guard_draft();

CREATE FUNCTION guard_open() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Orders are drawn, and readings made, while the study is open.
DECLARE
    s record;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7001, hashtext(NEW.study_id::text));
    SELECT code, state INTO s FROM study WHERE id = NEW.study_id;
    IF s.state <> 'open' THEN
        RAISE EXCEPTION 'The study "%" is %: nothing more is recorded in it', s.code, s.state
            USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
-- Triggers fire in the order of their names: "guard" before "guard_step".
CREATE TRIGGER guard BEFORE INSERT ON allocation FOR EACH ROW EXECUTE FUNCTION guard_open();
CREATE TRIGGER guard BEFORE INSERT ON assignment FOR EACH ROW EXECUTE FUNCTION guard_open();
CREATE TRIGGER guard BEFORE INSERT ON served FOR EACH ROW EXECUTE FUNCTION guard_open();
CREATE TRIGGER guard BEFORE INSERT ON reading FOR EACH ROW EXECUTE FUNCTION guard_open();
CREATE TRIGGER guard BEFORE INSERT ON reveal FOR EACH ROW EXECUTE FUNCTION guard_open();

-- ---------------------------------------------------------------- the order of a reader

CREATE FUNCTION guard_allocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.drawn_at := clock_timestamp();
    NEW.drawn_in := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON allocation FOR EACH ROW EXECUTE FUNCTION guard_allocation();

CREATE FUNCTION guard_assignment() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM allocation WHERE enrolment_id = NEW.enrolment_id
                   AND drawn_in = pg_current_xact_id()) THEN
        RAISE EXCEPTION 'A reader''s order is drawn once and as a whole' USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON assignment FOR EACH ROW EXECUTE FUNCTION guard_assignment();

CREATE FUNCTION check_order() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- At commit: the order is the one whose digest the reader is shown, of every case of the study.
DECLARE
    stored record;
BEGIN
    SELECT count(*) AS cases, encode(sha256(convert_to(
               coalesce(string_agg(case_id::text, E'\n' ORDER BY position), ''), 'UTF8')), 'hex') AS digest
    INTO stored FROM assignment WHERE enrolment_id = NEW.enrolment_id;
    IF stored.cases <> NEW.cases OR stored.digest <> NEW.order_sha256
       OR stored.cases <> (SELECT count(*) FROM study_case WHERE study_id = NEW.study_id) THEN
        RAISE EXCEPTION 'The stored order is not the one its digest and number of cases say'
            USING ERRCODE = 'RR409';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER check_order AFTER INSERT ON allocation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_order();

-- ---------------------------------------------------------------- the steps of a reading

CREATE FUNCTION guard_reader(reader uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF actor() IS DISTINCT FROM reader THEN
        RAISE EXCEPTION 'Only the reader this case is assigned to can read it' USING ERRCODE = 'RR403';
    END IF;
    IF EXISTS (SELECT FROM account WHERE id = reader AND disabled_at IS NOT NULL) THEN
        RAISE EXCEPTION 'This account is disabled' USING ERRCODE = 'RR403';
    END IF;
END
$$;

CREATE FUNCTION guard_served() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    PERFORM guard_reader(NEW.reader_id);
    IF EXISTS (
        SELECT FROM assignment mine JOIN assignment earlier
            ON earlier.enrolment_id = mine.enrolment_id AND earlier.position < mine.position
        WHERE mine.id = NEW.assignment_id AND NOT EXISTS
            (SELECT FROM reading WHERE assignment_id = earlier.id AND phase = 'aided')) THEN
        RAISE EXCEPTION 'An earlier case of this reader is not finished' USING ERRCODE = 'RR409';
    END IF;
    NEW.served_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON served FOR EACH ROW EXECUTE FUNCTION guard_served();

CREATE FUNCTION guard_reading() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- The foreign keys say the same; these hold where a superuser has switched them off.
BEGIN
    PERFORM guard_reader(NEW.reader_id);
    IF NOT EXISTS (SELECT FROM served WHERE assignment_id = NEW.assignment_id) THEN
        RAISE EXCEPTION 'This case has not been shown yet' USING ERRCODE = 'RR409';
    END IF;
    IF NEW.phase = 'aided'
       AND NOT EXISTS (SELECT FROM reveal WHERE assignment_id = NEW.assignment_id) THEN
        RAISE EXCEPTION 'There is no aided reading before the reveal' USING ERRCODE = 'RR409';
    END IF;
    NEW.locked_at := clock_timestamp();
    NEW.locked_in := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON reading FOR EACH ROW EXECUTE FUNCTION guard_reading();

CREATE FUNCTION guard_reveal() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    PERFORM guard_reader(NEW.reader_id);
    -- A call of this very transaction is not locked yet: lock, look, roll back would show the AI
    -- and leave no call.
    IF NOT EXISTS (SELECT FROM reading
                   WHERE assignment_id = NEW.assignment_id AND phase = 'unaided'
                   AND locked_in <> pg_current_xact_id()) THEN
        RAISE EXCEPTION 'There is no reveal before the unaided call is locked' USING ERRCODE = 'RR409';
    END IF;
    NEW.revealed_at := clock_timestamp();
    NEW.revealed_in := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_step BEFORE INSERT ON reveal FOR EACH ROW EXECUTE FUNCTION guard_reveal();

-- The one road by which AI output is released. Security definer: readers have no right on
-- predictions. Fails closed: without the unaided row it raises and returns nothing.
CREATE FUNCTION reveal_ai(of_assignment uuid, with_software text) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    INSERT INTO reveal (assignment_id, study_id, reader_id, case_id, case_prediction_id, software_version)
    SELECT a.id, a.study_id, a.reader_id, a.case_id, p.id, with_software
    FROM assignment a JOIN study s ON s.id = a.study_id
    JOIN case_prediction p ON p.case_id = a.case_id AND p.model_version_id = s.model_version_id
    WHERE a.id = of_assignment AND a.reader_id = actor()
    ON CONFLICT (assignment_id) DO NOTHING;
    IF NOT EXISTS (SELECT FROM reveal WHERE assignment_id = of_assignment AND reader_id = actor()) THEN
        RAISE EXCEPTION 'No such case' USING ERRCODE = 'RR404';
    END IF;
END
$$;

-- What a reader may see again: only of an assignment of theirs that has been revealed, and only
-- once that record cannot be rolled back any more.
CREATE FUNCTION shown_ai(of_assignment uuid)
    RETURNS TABLE (call text, probability double precision, model_name text, threshold double precision,
                   map_scale double precision, map_rows integer, map_columns integer,
                   demonstration boolean, image_position integer, overlay_key text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT c.call, c.probability, m.name, m.threshold, m.map_scale, m.map_rows, m.map_columns,
           m.demonstration, i.position, p.overlay_key
    FROM reveal r
    JOIN case_prediction c ON c.id = r.case_prediction_id
    JOIN model_version m ON m.id = c.model_version_id
    JOIN image i ON i.case_id = r.case_id
    JOIN prediction p ON p.image_id = i.id AND p.model_version_id = c.model_version_id
    WHERE r.assignment_id = of_assignment AND r.reader_id = actor()
        AND r.revealed_in IS DISTINCT FROM pg_current_xact_id_if_assigned()
    ORDER BY i.position
$$;

-- ---------------------------------------------------------------- audit

CREATE TABLE audit_event (
    chain          uuid NOT NULL,  -- the study's id, or zeros for the installation
    seq            bigint NOT NULL CHECK (seq > 0),
    at             timestamptz NOT NULL,
    transaction    bigint NOT NULL,
    actor          text NOT NULL,
    database_role  text NOT NULL,
    action         text NOT NULL,
    entity         text NOT NULL,
    payload        text NOT NULL,
    payload_sha256 text NOT NULL,
    previous_hash  text NOT NULL,
    hash           text NOT NULL,
    PRIMARY KEY (chain, seq)
);

CREATE FUNCTION netstring(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT octet_length(convert_to(value, 'UTF8')) || ':' || value || ','
$$;

CREATE FUNCTION append_event(in_chain uuid, the_action text, the_entity text, the_payload text)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    chained  uuid := coalesce(in_chain, '00000000-0000-0000-0000-000000000000');
    last     record;
    moment   timestamptz;
    who      text := coalesce(actor()::text, '');
    digest   text := encode(sha256(convert_to(the_payload, 'UTF8')), 'hex');
BEGIN
    -- One writer at a time to a chain makes the numbers gapless. The lock is taken at commit
    -- (deferred triggers), as the last lock of the transaction.
    PERFORM pg_advisory_xact_lock(7002, hashtext(chained::text));
    SELECT seq, hash INTO last FROM audit_event WHERE chain = chained ORDER BY seq DESC LIMIT 1;
    last.seq := coalesce(last.seq, 0) + 1;
    last.hash := coalesce(last.hash, repeat('0', 64));
    moment := clock_timestamp();
    INSERT INTO audit_event VALUES (
        chained, last.seq, moment, txid_current(), who, session_user, the_action, the_entity,
        the_payload, digest, last.hash,
        encode(sha256(convert_to(
            netstring('reread-audit-v1') || netstring(last.hash) || netstring(chained::text)
            || netstring(last.seq::text) || netstring((extract(epoch FROM moment) * 1000000)::bigint::text)
            || netstring(txid_current()::text) || netstring(who) || netstring(session_user)
            || netstring(the_action) || netstring(the_entity) || netstring(digest), 'UTF8')), 'hex'));
END
$$;

CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Arguments: the columns that name the row; secrets never enter the log.
DECLARE
    -- An invitation is in its study's chain, which is exported: the address stays in the table.
    secret  text[] := ARRAY['password_hash', 'token_sha256']
                      || CASE TG_TABLE_NAME WHEN 'invitation' THEN ARRAY['email'] ELSE '{}' END;
    image   jsonb := to_jsonb(NEW) - secret;
    before  jsonb;
    chained uuid := (CASE TG_TABLE_NAME WHEN 'study' THEN image ->> 'id' ELSE image ->> 'study_id' END)::uuid;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := to_jsonb(OLD);
        image := jsonb_build_object('old', before - secret, 'new', image,
            'password_changed', before -> 'password_hash' IS DISTINCT FROM to_jsonb(NEW) -> 'password_hash');
    END IF;
    PERFORM append_event(chained, TG_TABLE_NAME || '.' || lower(TG_OP),
                         to_jsonb(NEW) ->> TG_ARGV[0], image::text);
    RETURN NULL;
END
$$;

-- Acts that change no table of ours (a sign-in, an export, a look at results).
CREATE FUNCTION record_event(of_study uuid, the_action text, the_entity text, details jsonb)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF the_action !~ '^(sign_in|sign_out|results|export)\.[a-z_]+$' THEN
        RAISE EXCEPTION 'record_event does not write "%": table changes write their own event', the_action
            USING ERRCODE = 'RR403';
    END IF;
    -- Into a study's chain only those write who coordinate it; signing in concerns no study.
    IF the_action ~ '^sign_' AND of_study IS NOT NULL
       OR the_action !~ '^sign_' AND coordinates(of_study) IS NOT TRUE THEN
        RAISE EXCEPTION 'Not an event for this chain' USING ERRCODE = 'RR403';
    END IF;
    PERFORM append_event(of_study, the_action, the_entity, details::text);
END
$$;

DO $$
DECLARE
    audited record;
BEGIN
    -- assignment is absent on purpose: allocation carries the digest of the whole order.
    FOR audited IN SELECT * FROM (VALUES
        ('account', 'id'), ('study', 'id'), ('coordinator', 'account_id'), ('invitation', 'id'),
        ('model_version', 'id'), ('study_case', 'id'), ('image', 'id'),
        ('reference_diagnosis', 'case_id'), ('prediction', 'id'), ('case_prediction', 'id'),
        ('enrolment', 'id'), ('allocation', 'enrolment_id'), ('served', 'assignment_id'),
        ('reading', 'id'), ('reveal', 'assignment_id')) AS t (name, key) LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON %I '
            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row(%L)',
            audited.name, audited.key);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------- append-only

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['model_version', 'coordinator', 'study_case', 'image',
        'reference_diagnosis', 'prediction', 'case_prediction', 'enrolment', 'allocation',
        'assignment', 'served', 'reading', 'reveal', 'audit_event'] LOOP
        EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON %I '
            'FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['account', 'study', 'invitation'] LOOP
        EXECUTE format('CREATE TRIGGER no_delete BEFORE DELETE ON %I '
            'FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'reread'
        AND tablename NOT IN ('alembic_version', 'sign_in_session', 'sign_in_failure') LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END
$$;

DO $$
DECLARE
    t record;
BEGIN
    -- ALWAYS: also when session_replication_role = replica switches ordinary triggers off.
    FOR t IN SELECT c.relname, g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'reread' AND NOT g.tgisinternal LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t.relname, t.tgname);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------- rights

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA reread FROM PUBLIC;
GRANT USAGE ON SCHEMA reread TO reread_account, reread_reader, reread_coordinator, reread_analyst, reread_worker;
GRANT EXECUTE ON FUNCTION actor() TO reread_account, reread_reader, reread_coordinator, reread_analyst, reread_worker;
GRANT EXECUTE ON FUNCTION record_event(uuid, text, text, jsonb) TO reread_account, reread_coordinator, reread_analyst;

-- Accounts: sign-in, sessions, invitations. It sees no case image, truth, prediction or reading.
GRANT SELECT, INSERT, UPDATE ON account, sign_in_session, invitation TO reread_account;
GRANT DELETE ON sign_in_session, sign_in_failure TO reread_account;
GRANT SELECT, INSERT ON sign_in_failure, enrolment, allocation TO reread_account;
GRANT SELECT (id, code, title, state, seed, allocation_algorithm) ON study TO reread_account;
GRANT SELECT (id, study_id) ON study_case TO reread_account;
GRANT SELECT, INSERT ON assignment TO reread_account;

-- Readers: their own assignments, the images of served cases, their own readings.
GRANT SELECT (id, code, title, instructions, positive_class, state, demonstration) ON study TO reread_reader;
GRANT SELECT ON enrolment, allocation TO reread_reader;
GRANT SELECT (id, enrolment_id, study_id, reader_id, case_id, position) ON assignment TO reread_reader;
GRANT SELECT (id, study_id, case_id, position, modality, storage_key, width, height, synthetic) ON image TO reread_reader;
GRANT SELECT ON served TO reread_reader;
GRANT INSERT (assignment_id, study_id, reader_id) ON served TO reread_reader;
GRANT SELECT ON reading TO reread_reader;
GRANT INSERT (assignment_id, study_id, reader_id, phase, call, confidence, submission_id, active_milliseconds)
    ON reading TO reread_reader;
GRANT SELECT (assignment_id, study_id, reader_id, revealed_at) ON reveal TO reread_reader;
GRANT EXECUTE ON FUNCTION reveal_ai(uuid, text), shown_ai(uuid) TO reread_reader;

-- Coordinators: the study and its progress; no diagnosis, no call, no probability.
GRANT SELECT (id, email, name, role, simulated, created_at, disabled_at) ON account TO reread_coordinator;
GRANT SELECT ON study, coordinator, study_case, image, enrolment, allocation, assignment, model_version, served TO reread_coordinator;
GRANT INSERT (id, code, title, instructions, positive_class, seed, allocation_algorithm, model_version_id, demonstration, created_by)
    ON study TO reread_coordinator;
GRANT UPDATE (title, instructions, model_version_id, state, opened_by, closed_by, unblinded_by, unblinding_reason)
    ON study TO reread_coordinator;
GRANT INSERT ON coordinator, study_case, image, reference_diagnosis, enrolment, allocation, assignment, invitation TO reread_coordinator;
GRANT SELECT (id, study_id, email, invited_by, created_at, expires_at, accepted_by, accepted_at) ON invitation TO reread_coordinator;
GRANT SELECT (case_id, study_id, source, recorded_at) ON reference_diagnosis TO reread_coordinator;
GRANT SELECT (id, study_id, image_id, model_version_id, predicted_at) ON prediction TO reread_coordinator;
GRANT SELECT (id, study_id, case_id, model_version_id, predicted_at) ON case_prediction TO reread_coordinator;
GRANT SELECT (id, assignment_id, study_id, reader_id, phase, active_milliseconds, locked_at) ON reading TO reread_coordinator;
GRANT SELECT (assignment_id, study_id, reader_id, revealed_at) ON reveal TO reread_coordinator;

-- Analysts: everything of an unblinded study, nothing of any other.
GRANT SELECT (id, email, name, role, simulated) ON account TO reread_analyst;
GRANT SELECT ON study, coordinator, model_version, study_case, image, reference_diagnosis, prediction, case_prediction,
    enrolment, allocation, assignment, served, reading, reveal, audit_event TO reread_analyst;

-- The worker: images in, predictions out; neither truth nor readings.
GRANT SELECT (id, code, state, model_version_id) ON study TO reread_worker;
GRANT SELECT ON model_version, image, prediction, case_prediction TO reread_worker;
GRANT SELECT (id, study_id) ON study_case TO reread_worker;
GRANT INSERT ON model_version, prediction, case_prediction TO reread_worker;

-- ---------------------------------------------------------------- row-level security

CREATE FUNCTION coordinates(of_study uuid) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT EXISTS (SELECT FROM coordinator WHERE study_id = of_study AND account_id = actor())
        OR EXISTS (SELECT FROM study WHERE id = of_study AND created_by = actor())
$$;
CREATE FUNCTION may_analyse(of_study uuid) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coordinates(of_study)
        AND EXISTS (SELECT FROM study WHERE id = of_study AND state = 'unblinded')
$$;
CREATE FUNCTION in_my_studies(person uuid) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT person = actor()
        OR EXISTS (SELECT FROM enrolment e WHERE e.reader_id = person AND coordinates(e.study_id))
        OR EXISTS (SELECT FROM coordinator c WHERE c.account_id = person AND coordinates(c.study_id))
$$;
REVOKE ALL ON FUNCTION coordinates(uuid), may_analyse(uuid), in_my_studies(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coordinates(uuid), in_my_studies(uuid) TO reread_coordinator, reread_analyst;
GRANT EXECUTE ON FUNCTION may_analyse(uuid) TO reread_analyst;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['study_case', 'image', 'reference_diagnosis', 'prediction', 'case_prediction',
        'enrolment', 'allocation', 'assignment', 'served', 'reading', 'reveal'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY coordinator ON %I TO reread_coordinator '
            'USING (coordinates(study_id)) WITH CHECK (coordinates(study_id))', name);
        EXECUTE format('CREATE POLICY analyst ON %I FOR SELECT TO reread_analyst USING (may_analyse(study_id))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['enrolment', 'allocation', 'assignment', 'served', 'reading', 'reveal'] LOOP
        EXECUTE format('CREATE POLICY reader ON %I TO reread_reader '
            'USING (reader_id = actor()) WITH CHECK (reader_id = actor())', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['study_case', 'enrolment', 'allocation', 'assignment'] LOOP
        EXECUTE format('CREATE POLICY account ON %I TO reread_account USING (true) WITH CHECK (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['study_case', 'image', 'prediction', 'case_prediction'] LOOP
        EXECUTE format('CREATE POLICY worker ON %I TO reread_worker USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;
-- A case's images exist for a reader once the case has been served to them.
CREATE POLICY reader ON image FOR SELECT TO reread_reader USING (EXISTS (
    SELECT FROM served s JOIN assignment a ON a.id = s.assignment_id
    WHERE a.case_id = image.case_id AND a.reader_id = actor()));

ALTER TABLE account ENABLE ROW LEVEL SECURITY;
CREATE POLICY account ON account TO reread_account USING (true) WITH CHECK (true);
CREATE POLICY coordinator ON account FOR SELECT TO reread_coordinator USING (in_my_studies(id));
CREATE POLICY analyst ON account FOR SELECT TO reread_analyst USING (in_my_studies(id));

ALTER TABLE study ENABLE ROW LEVEL SECURITY;
CREATE POLICY account ON study FOR SELECT TO reread_account USING (true);
CREATE POLICY worker ON study FOR SELECT TO reread_worker USING (true);
CREATE POLICY reader ON study FOR SELECT TO reread_reader USING (EXISTS (
    SELECT FROM enrolment e WHERE e.study_id = study.id AND e.reader_id = actor()));
CREATE POLICY coordinator ON study TO reread_coordinator
    USING (created_by = actor() OR coordinates(id)) WITH CHECK (created_by = actor() OR coordinates(id));
CREATE POLICY analyst ON study FOR SELECT TO reread_analyst USING (may_analyse(id));

ALTER TABLE coordinator ENABLE ROW LEVEL SECURITY;
CREATE POLICY coordinator ON coordinator TO reread_coordinator
    USING (coordinates(study_id)) WITH CHECK (coordinates(study_id));
CREATE POLICY analyst ON coordinator FOR SELECT TO reread_analyst USING (coordinates(study_id));

ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
CREATE POLICY account ON invitation TO reread_account USING (true) WITH CHECK (true);
CREATE POLICY coordinator ON invitation TO reread_coordinator
    USING (coordinates(study_id)) WITH CHECK (coordinates(study_id));

ALTER TABLE audit_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY analyst ON audit_event FOR SELECT TO reread_analyst USING (may_analyse(chain));
