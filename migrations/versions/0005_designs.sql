-- Four designs with one machine: every assignment has an arm, a session and an occasion.
-- AI output leaves only by reveal_ai, for an assignment with AI whose unaided call is committed:
-- the same rule in every design.

-- ---------------------------------------------------------------- the design of a study

ALTER TABLE study
    ADD design text NOT NULL DEFAULT 'sequential'
        CHECK (design IN ('sequential', 'hidden_share', 'crossover', 'parallel')),
    ADD unaided_only_percent smallint NOT NULL DEFAULT 0,  -- of each reader's counted cases
    ADD washout_days smallint NOT NULL DEFAULT 28 CHECK (washout_days BETWEEN 0 AND 365),
    ADD show_probability boolean NOT NULL DEFAULT true,
    ADD show_label boolean NOT NULL DEFAULT true,
    ADD show_overlay boolean NOT NULL DEFAULT true,
    ADD ask_management boolean NOT NULL DEFAULT false,
    ADD ask_comment boolean NOT NULL DEFAULT false,
    ADD repeats smallint NOT NULL DEFAULT 0 CHECK (repeats BETWEEN 0 AND 200),
    ADD cases_per_sitting smallint CHECK (cases_per_sitting BETWEEN 1 AND 500),
    ADD CONSTRAINT the_ai_shows_something CHECK (show_probability OR show_label OR show_overlay),
    -- At most half, so that two readers are enough for every case to be read with AI by one.
    ADD CONSTRAINT a_hidden_share_is_of_its_design CHECK (
        CASE design WHEN 'hidden_share' THEN unaided_only_percent BETWEEN 1 AND 50
        ELSE unaided_only_percent = 0 END);

ALTER TABLE study_case
    ADD purpose text NOT NULL DEFAULT 'counted' CHECK (purpose IN ('counted', 'training')),
    ADD UNIQUE (id, purpose);

-- ---------------------------------------------------------------- versions of the protocol

CREATE TABLE protocol_version (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id       uuid NOT NULL REFERENCES study,
    number         integer NOT NULL CHECK (number > 0),
    changes        jsonb NOT NULL DEFAULT '{}',  -- what an amendment sets, by column of study
    content        text NOT NULL,  -- the whole protocol as PostgreSQL writes jsonb: canonical
    content_sha256 text NOT NULL,
    reason         text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    author         uuid REFERENCES account,  -- NULL: written by the migration, for a study of before
    written_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (study_id, number)
);

-- A case that does not count any more, with the reason; its rows all stay.
CREATE TABLE case_exclusion (
    id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    case_id  uuid NOT NULL UNIQUE,
    study_id uuid NOT NULL,
    reason   text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    author   uuid NOT NULL REFERENCES account,
    made_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (case_id, study_id) REFERENCES study_case (id, study_id)
);
CREATE INDEX case_exclusion_study ON case_exclusion (study_id);

-- Another washout for one reader; the newest row holds.
CREATE TABLE washout_override (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    enrolment_id uuid NOT NULL,
    study_id     uuid NOT NULL,
    reader_id    uuid NOT NULL,
    days         smallint NOT NULL CHECK (days BETWEEN 0 AND 365),
    reason       text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    author       uuid NOT NULL REFERENCES account,
    made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (enrolment_id, study_id, reader_id) REFERENCES enrolment (id, study_id, reader_id)
);
CREATE INDEX washout_override_study ON washout_override (study_id);

-- ---------------------------------------------------------------- allocation

ALTER TABLE allocation
    -- 1, 2, ... in the order of drawing: arms are balanced over it. NULL: drawn by sha256-sort-1.
    ADD reader_number integer CHECK (reader_number > 0),
    ADD UNIQUE (study_id, reader_number);

ALTER TABLE assignment
    ADD arm text NOT NULL DEFAULT 'with_ai' CHECK (arm IN ('with_ai', 'without_ai')),
    ADD session smallint NOT NULL DEFAULT 1 CHECK (session IN (1, 2)),
    ADD occasion smallint NOT NULL DEFAULT 1 CHECK (occasion IN (1, 2)),  -- 2: the repeat
    ADD purpose text NOT NULL DEFAULT 'counted',
    DROP CONSTRAINT assignment_enrolment_id_case_id_key,
    ADD UNIQUE (enrolment_id, case_id, session, occasion),
    ADD UNIQUE (id, arm),
    ADD FOREIGN KEY (case_id, purpose) REFERENCES study_case (id, purpose);

-- ---------------------------------------------------------------- the rows of a reading

ALTER TABLE served
    ADD position integer,           -- of the assignment: the log tells it without the order
    ADD protocol_version integer,   -- under which it was made; NULL in studies of before
    ADD FOREIGN KEY (study_id, protocol_version) REFERENCES protocol_version (study_id, number);

ALTER TABLE reading
    ADD management text CHECK (management IN ('biopsy', 'no_biopsy')),
    ADD comment text CHECK (length(btrim(comment)) BETWEEN 1 AND 2000),
    ADD protocol_version integer,
    ADD FOREIGN KEY (study_id, protocol_version) REFERENCES protocol_version (study_id, number),
    ADD UNIQUE (id, study_id);

-- No reveal of an assignment without AI: the foreign key says so, and guard_reveal.
ALTER TABLE reveal
    ADD of_arm text NOT NULL GENERATED ALWAYS AS ('with_ai'::text) STORED,
    ADD FOREIGN KEY (assignment_id, of_arm) REFERENCES assignment (id, arm);

-- What a coordinator says of a reading afterwards; the reading itself stays. The newest row holds.
CREATE TABLE reading_correction (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    reading_id uuid NOT NULL,
    study_id   uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('void', 'correct')),
    call       text CHECK (call IN ('BCC', 'SK')),
    confidence smallint CHECK (confidence BETWEEN 0 AND 100),
    reason     text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    author     uuid NOT NULL REFERENCES account,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((kind = 'correct') = (call IS NOT NULL) AND (call IS NULL) = (confidence IS NULL)),
    FOREIGN KEY (reading_id, study_id) REFERENCES reading (id, study_id)
);
CREATE INDEX reading_correction_study ON reading_correction (study_id);
CREATE INDEX reading_correction_reading ON reading_correction (reading_id);

-- ---------------------------------------------------------------- what a protocol says

CREATE FUNCTION protocol_content(s study) RETURNS text LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT jsonb_build_object(
        'code', s.code, 'title', s.title, 'instructions', s.instructions,
        'positive_class', s.positive_class, 'design', s.design,
        'unaided_only_percent', s.unaided_only_percent, 'washout_days', s.washout_days,
        'show_probability', s.show_probability, 'show_label', s.show_label,
        'show_overlay', s.show_overlay, 'ask_management', s.ask_management,
        'ask_comment', s.ask_comment, 'repeats', s.repeats,
        'cases_per_sitting', s.cases_per_sitting, 'seed', s.seed,
        'allocation_algorithm', s.allocation_algorithm, 'model_version_id', s.model_version_id,
        'training_cases', (SELECT count(*) FROM study_case c
                           WHERE c.study_id = s.id AND c.purpose = 'training'),
        'counted_cases', (SELECT count(*) FROM study_case c
                          WHERE c.study_id = s.id AND c.purpose = 'counted'),
        'excluded_cases', (SELECT coalesce(jsonb_agg(c.code ORDER BY c.code), '[]')
                           FROM case_exclusion x JOIN study_case c ON c.id = x.case_id
                           WHERE x.study_id = s.id),
        'washout_overrides', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                  'reader_id', w.reader_id, 'days', w.days) ORDER BY w.made_at, w.id), '[]')
                              FROM washout_override w WHERE w.study_id = s.id)
    )::text
$$;

CREATE FUNCTION newest_protocol(of_study uuid) RETURNS integer LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT max(number) FROM protocol_version WHERE study_id = of_study
$$;

-- ---------------------------------------------------------------- audit and append-only

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['protocol_version', 'case_exclusion', 'washout_override',
                                'reading_correction'] LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON %I '
            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row(''id'')', name);
        EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON %I '
            'FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END
$$;
ALTER TABLE protocol_version ENABLE ALWAYS TRIGGER audit;

-- Studies of before: their protocol as it stands is version 1, and drafts get the algorithm that
-- knows all designs (orders that were drawn keep theirs).
INSERT INTO protocol_version (study_id, number, content, content_sha256, reason)
SELECT s.id, 1, protocol_content(s), encode(sha256(convert_to(protocol_content(s), 'UTF8')), 'hex'),
       'Written down when versions of the protocol were introduced.'
FROM study s WHERE s.state <> 'draft';
UPDATE study SET allocation_algorithm = 'sha256-design-1' WHERE state = 'draft';
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;

-- ---------------------------------------------------------------- the study's life

-- The digest of a study's readings. What 0001 computed stays the same: NULLs leave no trace.
CREATE FUNCTION data_digest(of_study uuid) RETURNS text LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT encode(sha256(convert_to(concat_ws(E'\n',
        (SELECT coalesce(string_agg(concat_ws(',', assignment_id, phase, call, confidence, submission_id,
                                        management, encode(sha256(convert_to(comment, 'UTF8')), 'hex')),
                                    E'\n' ORDER BY assignment_id, phase), '')
         FROM reading WHERE study_id = of_study),
        (SELECT string_agg(concat_ws(',', reading_id, kind, call, confidence), E'\n' ORDER BY made_at, id)
         FROM reading_correction WHERE study_id = of_study),
        (SELECT string_agg(concat_ws(',', 'excluded', case_id), E'\n' ORDER BY case_id)
         FROM case_exclusion WHERE study_id = of_study)), 'UTF8')), 'hex')
$$;

CREATE OR REPLACE FUNCTION guard_study() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    missing text;
    counted integer;
BEGIN
    -- Readers hold this lock shared while they write; closing waits for none of their rows
    -- and no row slips in after it.
    PERFORM pg_advisory_xact_lock(7001, hashtext(NEW.id::text));
    IF NEW.id <> OLD.id OR OLD.state <> 'draft' AND
       (OLD.code, OLD.positive_class, OLD.seed, OLD.allocation_algorithm, OLD.model_version_id,
        OLD.demonstration, OLD.created_by, OLD.created_at)
       IS DISTINCT FROM
       (NEW.code, NEW.positive_class, NEW.seed, NEW.allocation_algorithm, NEW.model_version_id,
        NEW.demonstration, NEW.created_by, NEW.created_at) THEN
        RAISE EXCEPTION 'The study "%" is %: its instruments, model version and allocation are frozen',
            OLD.code, OLD.state USING ERRCODE = 'RR409';
    END IF;
    -- From opening on, a study is what its newest protocol version says, key by key.
    IF OLD.state <> 'draft' AND EXISTS (
        SELECT FROM protocol_version v, jsonb_each(v.content::jsonb) said
        WHERE v.study_id = NEW.id AND v.number = newest_protocol(NEW.id)
        AND protocol_content(NEW)::jsonb -> said.key IS DISTINCT FROM said.value) THEN
        RAISE EXCEPTION 'The study "%" is %: its design is frozen, and its title, instructions and cases per sitting change by an amendment with a reason',
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
        SELECT count(*) INTO counted FROM study_case c
        WHERE c.study_id = NEW.id AND c.purpose = 'counted'
            AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = c.id);
        IF counted = 0 THEN
            RAISE EXCEPTION 'The study "%" has no cases: import them first', OLD.code
                USING ERRCODE = 'RR409';
        END IF;
        IF NEW.repeats > counted THEN
            RAISE EXCEPTION 'The study "%" cannot open: % cases are to be read again, and it has %',
                OLD.code, NEW.repeats, counted USING ERRCODE = 'RR409';
        END IF;
        IF NEW.design = 'hidden_share' AND counted < 2 THEN
            RAISE EXCEPTION 'The study "%" cannot open: a share of one case cannot be hidden', OLD.code
                USING ERRCODE = 'RR409';
        END IF;
        SELECT c.code INTO missing FROM study_case c
        WHERE c.study_id = NEW.id
            AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = c.id) AND (
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
        NEW.data_sha256 := data_digest(NEW.id);
    ELSE
        RAISE EXCEPTION 'The study "%" is %: it cannot become %', OLD.code, OLD.state, NEW.state
            USING ERRCODE = 'RR409';
    END CASE;
    RETURN NEW;
END
$$;

-- Opening writes version 1 of the protocol.
CREATE FUNCTION write_first_protocol() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    INSERT INTO protocol_version (study_id, reason) VALUES (NEW.id, 'The study was opened.');
    RETURN NULL;
END
$$;
CREATE TRIGGER write_protocol AFTER UPDATE ON study FOR EACH ROW
    WHEN (OLD.state = 'draft' AND NEW.state = 'open') EXECUTE FUNCTION write_first_protocol();

-- ---------------------------------------------------------------- amendments

CREATE FUNCTION guard_act(of_study uuid, states text[]) RETURNS text LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- An act of a coordinator beside the readings: alone with the study, in one of these states.
DECLARE
    s record;
BEGIN
    PERFORM pg_advisory_xact_lock(7001, hashtext(of_study::text));
    SELECT code, state INTO s FROM study WHERE id = of_study;
    IF coordinates(of_study) IS NOT TRUE THEN
        RAISE EXCEPTION 'Only a coordinator of the study does this' USING ERRCODE = 'RR403';
    END IF;
    IF s.state <> ALL (states) THEN
        RAISE EXCEPTION 'The study "%" is %: this is done while it is %', s.code, s.state,
            array_to_string(states, ' or ') USING ERRCODE = 'RR409';
    END IF;
    RETURN s.state;
END
$$;

CREATE FUNCTION guard_protocol_version() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    s study;
BEGIN
    PERFORM guard_act(NEW.study_id, '{open}');
    IF EXISTS (SELECT FROM jsonb_object_keys(NEW.changes) AS key
               WHERE key NOT IN ('title', 'instructions', 'cases_per_sitting')) THEN
        RAISE EXCEPTION 'An amendment changes the title, the instructions or the cases per sitting; everything else is frozen'
            USING ERRCODE = 'RR409';
    END IF;
    SELECT * INTO s FROM study WHERE id = NEW.study_id;
    s := jsonb_populate_record(s, NEW.changes);
    NEW.number := coalesce(newest_protocol(NEW.study_id), 0) + 1;
    NEW.content := protocol_content(s);
    NEW.content_sha256 := encode(sha256(convert_to(NEW.content, 'UTF8')), 'hex');
    NEW.author := actor();
    NEW.written_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON protocol_version FOR EACH ROW EXECUTE FUNCTION guard_protocol_version();

CREATE FUNCTION apply_amendment() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    s study;
BEGIN
    SELECT * INTO s FROM study WHERE id = NEW.study_id;
    s := jsonb_populate_record(s, NEW.changes);
    UPDATE study SET title = s.title, instructions = s.instructions, cases_per_sitting = s.cases_per_sitting
    WHERE id = NEW.study_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER apply AFTER INSERT ON protocol_version FOR EACH ROW
    WHEN (NEW.changes <> '{}') EXECUTE FUNCTION apply_amendment();

CREATE FUNCTION guard_exclusion() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    PERFORM guard_act(NEW.study_id, '{draft,open}');
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON case_exclusion FOR EACH ROW EXECUTE FUNCTION guard_exclusion();

CREATE FUNCTION guard_override() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    PERFORM guard_act(NEW.study_id, '{open}');
    IF NOT EXISTS (SELECT FROM study WHERE id = NEW.study_id AND design = 'crossover') THEN
        RAISE EXCEPTION 'Only a crossover study has a washout' USING ERRCODE = 'RR409';
    END IF;
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON washout_override FOR EACH ROW EXECUTE FUNCTION guard_override();

-- An exclusion or override in an open study is an amendment: it makes a protocol version.
CREATE FUNCTION write_amendment() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM study WHERE id = NEW.study_id AND state = 'open') THEN
        INSERT INTO protocol_version (study_id, reason) VALUES (NEW.study_id, NEW.reason);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER amend AFTER INSERT ON case_exclusion FOR EACH ROW EXECUTE FUNCTION write_amendment();
CREATE TRIGGER amend AFTER INSERT ON washout_override FOR EACH ROW EXECUTE FUNCTION write_amendment();

CREATE FUNCTION guard_correction() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    -- Before unblinding only: whoever corrects knows neither truth nor calls.
    PERFORM guard_act(NEW.study_id, '{open,closed}');
    NEW.author := actor();
    NEW.made_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON reading_correction FOR EACH ROW EXECUTE FUNCTION guard_correction();

-- ---------------------------------------------------------------- the order of a reader

CREATE OR REPLACE FUNCTION guard_allocation() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    next_number integer;
BEGIN
    NEW.drawn_at := clock_timestamp();
    NEW.drawn_in := pg_current_xact_id();
    IF NEW.algorithm <> (SELECT allocation_algorithm FROM study WHERE id = NEW.study_id) THEN
        RAISE EXCEPTION 'An order is drawn by the algorithm of its study' USING ERRCODE = 'RR409';
    END IF;
    -- One at a time, so that numbers have no gap.
    PERFORM pg_advisory_xact_lock(7004, hashtext(NEW.study_id::text));
    SELECT coalesce(max(reader_number), 0) + 1 INTO next_number FROM allocation
    WHERE study_id = NEW.study_id;
    IF NEW.reader_number IS DISTINCT FROM
       (CASE NEW.algorithm WHEN 'sha256-sort-1' THEN NULL ELSE next_number END) THEN
        RAISE EXCEPTION 'Another order was drawn at the same moment: try again' USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION check_order() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- At commit: the order is the one whose digest the reader is shown, of every case of the study,
-- and it is of the study's design.
DECLARE
    stored record;
    s study;
BEGIN
    SELECT * INTO s FROM study WHERE id = NEW.study_id;
    SELECT count(*) AS cases, count(DISTINCT case_id) AS different,
           encode(sha256(convert_to(coalesce(string_agg(
               CASE NEW.algorithm WHEN 'sha256-sort-1' THEN case_id::text
               ELSE concat_ws(',', position, case_id, arm, session, occasion) END,
               E'\n' ORDER BY position), ''), 'UTF8')), 'hex') AS digest,
           count(*) FILTER (WHERE occasion = 2 AND session = 1) AS repeats
    INTO stored FROM assignment WHERE enrolment_id = NEW.enrolment_id;
    IF stored.cases <> NEW.cases OR stored.digest <> NEW.order_sha256
       OR stored.different <> (SELECT count(*) FROM study_case c WHERE c.study_id = NEW.study_id
                               AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = c.id)) THEN
        RAISE EXCEPTION 'The stored order is not the one its digest and number of cases say'
            USING ERRCODE = 'RR409';
    END IF;
    IF stored.repeats > s.repeats OR EXISTS (
        SELECT FROM assignment a WHERE a.enrolment_id = NEW.enrolment_id AND (
            -- training first, once
            a.purpose = 'training' AND (a.session = 2 OR a.occasion = 2 OR EXISTS (
                SELECT FROM assignment e WHERE e.enrolment_id = a.enrolment_id
                AND e.position < a.position AND e.purpose = 'counted'))
            -- a repeat after its first occasion, with the same arm
            OR a.occasion = 2 AND NOT EXISTS (
                SELECT FROM assignment e WHERE e.enrolment_id = a.enrolment_id
                AND e.case_id = a.case_id AND e.session = a.session AND e.occasion = 1
                AND e.arm = a.arm AND e.position < a.position)
            OR CASE s.design
               WHEN 'sequential' THEN a.arm <> 'with_ai' OR a.session <> 1
               WHEN 'hidden_share' THEN a.session <> 1 OR a.purpose = 'training' AND a.arm <> 'with_ai'
               WHEN 'parallel' THEN a.session <> 1 OR EXISTS (
                   SELECT FROM assignment e WHERE e.enrolment_id = a.enrolment_id AND e.arm <> a.arm)
               ELSE  -- crossover: each counted case once in each arm, the second session behind
                   a.purpose = 'counted' AND NOT EXISTS (
                       SELECT FROM assignment o WHERE o.enrolment_id = a.enrolment_id
                       AND o.case_id = a.case_id AND o.occasion = a.occasion
                       AND o.session <> a.session AND o.arm <> a.arm
                       AND (o.session < a.session) = (o.position < a.position))
               END)) THEN
        RAISE EXCEPTION 'The stored order is not one of the study''s design' USING ERRCODE = 'RR409';
    END IF;
    RETURN NULL;
END
$$;

-- ---------------------------------------------------------------- the steps of a reading

-- The clock of days, for the washout; tests put another in its place. No role may call it.
CREATE FUNCTION clock_of_days() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp()
$$;

-- Whether an assignment is done: the aided call, or the unaided one where the AI is withheld.
-- A withheld case is done only once its call cannot be taken back: lock, look whether the AI comes,
-- roll back would tell the arm beforehand.
CREATE FUNCTION is_finished(of_assignment uuid) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT EXISTS (SELECT FROM reading r JOIN assignment a ON a.id = r.assignment_id
        WHERE a.id = of_assignment AND (r.phase = 'aided' OR a.arm = 'without_ai'
            AND r.locked_in IS DISTINCT FROM pg_current_xact_id_if_assigned()))
$$;

-- Until when an assignment has to wait for its washout; NULL: it need not wait.
CREATE FUNCTION waits_until(of_assignment uuid) RETURNS timestamptz LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT ends FROM (
        SELECT max(r.locked_at) + make_interval(hours => 24 * coalesce(
            (SELECT w.days FROM washout_override w WHERE w.enrolment_id = a.enrolment_id
             ORDER BY w.made_at DESC, w.id LIMIT 1), s.washout_days)) AS ends
        FROM assignment a JOIN study s ON s.id = a.study_id
        JOIN assignment e ON e.enrolment_id = a.enrolment_id AND e.session = 1 AND e.position < a.position
        JOIN reading r ON r.assignment_id = e.id
        WHERE a.id = of_assignment AND a.session = 2 AND a.reader_id = actor()
        GROUP BY a.enrolment_id, s.washout_days) AS washout
    WHERE ends > clock_of_days()
$$;

CREATE OR REPLACE FUNCTION guard_served() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    ends timestamptz;
BEGIN
    PERFORM guard_reader(NEW.reader_id);
    IF EXISTS (SELECT FROM assignment a JOIN case_exclusion x ON x.case_id = a.case_id
               WHERE a.id = NEW.assignment_id) THEN
        RAISE EXCEPTION 'This case is not part of the study any more' USING ERRCODE = 'RR409';
    END IF;
    IF EXISTS (
        SELECT FROM assignment mine JOIN assignment earlier
            ON earlier.enrolment_id = mine.enrolment_id AND earlier.position < mine.position
        WHERE mine.id = NEW.assignment_id AND NOT is_finished(earlier.id)
            AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = earlier.case_id)) THEN
        RAISE EXCEPTION 'An earlier case of this reader is not finished' USING ERRCODE = 'RR409';
    END IF;
    ends := waits_until(NEW.assignment_id);
    IF ends IS NOT NULL THEN
        RAISE EXCEPTION 'The second session begins on %',
            to_char(ends AT TIME ZONE 'UTC', 'FMDD Month YYYY "at" HH24:MI "UTC"') USING ERRCODE = 'RR409';
    END IF;
    NEW.position := (SELECT position FROM assignment WHERE id = NEW.assignment_id);
    NEW.protocol_version := newest_protocol(NEW.study_id);
    NEW.served_at := clock_timestamp();
    RETURN NEW;
END
$$;

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
    NEW.protocol_version := newest_protocol(NEW.study_id);
    NEW.locked_at := clock_timestamp();
    NEW.locked_in := pg_current_xact_id();
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION guard_reveal() RETURNS trigger LANGUAGE plpgsql
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
    -- After the lock only: before it, a case with AI and one without get the same answer.
    IF NOT EXISTS (SELECT FROM assignment WHERE id = NEW.assignment_id AND arm = 'with_ai') THEN
        RAISE EXCEPTION 'For this case no AI result is shown' USING ERRCODE = 'RR409';
    END IF;
    NEW.revealed_at := clock_timestamp();
    NEW.revealed_in := pg_current_xact_id();
    RETURN NEW;
END
$$;

-- What a reader may see again: only of an assignment of theirs that has been revealed, only once
-- that record cannot be rolled back any more, and only what the study shows. While the same case
-- waits for them a second time (crossover, repeat), the finished one is shut.
CREATE OR REPLACE FUNCTION shown_ai(of_assignment uuid)
    RETURNS TABLE (call text, probability double precision, model_name text, threshold double precision,
                   map_scale double precision, map_rows integer, map_columns integer,
                   demonstration boolean, image_position integer, overlay_key text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT CASE WHEN s.show_label THEN c.call END,
           CASE WHEN s.show_probability THEN c.probability END, m.name,
           -- With a probability, the threshold would tell the label.
           CASE WHEN s.show_probability AND s.show_label THEN m.threshold END,
           CASE WHEN s.show_overlay THEN m.map_scale END,
           CASE WHEN s.show_overlay THEN m.map_rows END,
           CASE WHEN s.show_overlay THEN m.map_columns END,
           m.demonstration, i.position, CASE WHEN s.show_overlay THEN p.overlay_key END
    FROM reveal r
    JOIN study s ON s.id = r.study_id
    JOIN case_prediction c ON c.id = r.case_prediction_id
    JOIN model_version m ON m.id = c.model_version_id
    JOIN image i ON i.case_id = r.case_id
    JOIN prediction p ON p.image_id = i.id AND p.model_version_id = c.model_version_id
    WHERE r.assignment_id = of_assignment AND r.reader_id = actor()
        AND r.revealed_in IS DISTINCT FROM pg_current_xact_id_if_assigned()
        AND NOT (is_finished(r.assignment_id) AND EXISTS (
            SELECT FROM assignment o WHERE o.case_id = r.case_id AND o.reader_id = r.reader_id
            AND o.id <> r.assignment_id AND NOT is_finished(o.id)))
    ORDER BY i.position
$$;

-- The actor's assignments of a study whose AI is withheld, once their call is locked and
-- committed; before that they are as any other.
CREATE FUNCTION withheld(of_study uuid) RETURNS SETOF uuid LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT a.id FROM assignment a JOIN reading r ON r.assignment_id = a.id AND r.phase = 'unaided'
    WHERE a.study_id = of_study AND a.reader_id = actor() AND a.arm = 'without_ai'
        AND r.locked_in IS DISTINCT FROM pg_current_xact_id_if_assigned()
$$;

-- The only truth a reader ever gets: of a training case of theirs, after its last lock.
CREATE FUNCTION training_truth(of_assignment uuid) RETURNS TABLE (diagnosis text, source text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT d.diagnosis, d.source
    FROM assignment a JOIN reference_diagnosis d ON d.case_id = a.case_id
    WHERE a.id = of_assignment AND a.reader_id = actor() AND a.purpose = 'training'
        AND EXISTS (SELECT FROM reading r WHERE r.assignment_id = a.id
            AND r.phase = CASE a.arm WHEN 'with_ai' THEN 'aided' ELSE 'unaided' END
            AND r.locked_in IS DISTINCT FROM pg_current_xact_id_if_assigned())
$$;

-- ---------------------------------------------------------------- guards on, rights, rows

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

REVOKE ALL ON FUNCTION protocol_content(study), newest_protocol(uuid), data_digest(uuid),
    write_first_protocol(), guard_act(uuid, text[]), guard_protocol_version(), apply_amendment(),
    guard_exclusion(), guard_override(), write_amendment(), guard_correction(), clock_of_days(),
    is_finished(uuid), waits_until(uuid), withheld(uuid), training_truth(uuid) FROM PUBLIC;

GRANT SELECT (design, unaided_only_percent, repeats, opened_at) ON study TO reread_account;
GRANT SELECT (purpose) ON study_case TO reread_account;
GRANT SELECT (case_id, study_id, made_at) ON case_exclusion TO reread_account;

GRANT SELECT (design, washout_days, ask_management, ask_comment, cases_per_sitting) ON study TO reread_reader;
-- Neither arm nor occasion: they are not to be known beforehand.
GRANT SELECT (session, purpose) ON assignment TO reread_reader;
GRANT SELECT (case_id, study_id) ON case_exclusion TO reread_reader;
GRANT INSERT (management, comment) ON reading TO reread_reader;
GRANT EXECUTE ON FUNCTION waits_until(uuid), withheld(uuid), training_truth(uuid) TO reread_reader;

GRANT INSERT (design, unaided_only_percent, washout_days, show_probability, show_label, show_overlay,
    ask_management, ask_comment, repeats, cases_per_sitting) ON study TO reread_coordinator;
GRANT UPDATE (positive_class, design, unaided_only_percent, washout_days, show_probability, show_label,
    show_overlay, ask_management, ask_comment, repeats, cases_per_sitting) ON study TO reread_coordinator;
GRANT SELECT ON protocol_version, case_exclusion, washout_override TO reread_coordinator;
GRANT INSERT (study_id, changes, reason) ON protocol_version TO reread_coordinator;
GRANT INSERT (case_id, study_id, reason) ON case_exclusion TO reread_coordinator;
GRANT INSERT (enrolment_id, study_id, reader_id, days, reason) ON washout_override TO reread_coordinator;
GRANT SELECT (id, reading_id, study_id, kind, reason, author, made_at) ON reading_correction TO reread_coordinator;
GRANT INSERT (reading_id, study_id, kind, call, confidence, reason) ON reading_correction TO reread_coordinator;

GRANT SELECT ON protocol_version, case_exclusion, washout_override, reading_correction
    TO reread_analyst, reread_auditor;
GRANT EXECUTE ON FUNCTION data_digest(uuid) TO reread_analyst;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['protocol_version', 'case_exclusion', 'washout_override',
                                'reading_correction'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY coordinator ON %I TO reread_coordinator '
            'USING (study_id = ANY ((SELECT coordinated())::uuid[])) '
            'WITH CHECK (study_id = ANY ((SELECT coordinated())::uuid[]))', name);
        EXECUTE format('CREATE POLICY analyst ON %I FOR SELECT TO reread_analyst '
            'USING (study_id = ANY ((SELECT analysed())::uuid[]))', name);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO reread_auditor '
            'USING (study_id = ANY ((SELECT audited())::uuid[]))', name);
    END LOOP;
END
$$;
CREATE POLICY account ON case_exclusion FOR SELECT TO reread_account USING (true);
CREATE POLICY reader ON case_exclusion FOR SELECT TO reread_reader USING (EXISTS (
    SELECT FROM assignment a WHERE a.case_id = case_exclusion.case_id AND a.reader_id = actor()));
