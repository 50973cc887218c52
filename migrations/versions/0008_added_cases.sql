-- Cases added to an open study: imported, given their diagnosis and scored while they wait, then
-- appended to every reader's order by one act with its reason (docs/adr/0031). Nothing that was
-- drawn before moves.

-- ---------------------------------------------------------------- tables

-- 0: there at opening; n: part of the study from its n-th addition on, and waiting before it.
ALTER TABLE study_case ADD addition integer NOT NULL DEFAULT 0 CHECK (addition >= 0);

CREATE TABLE case_addition (
    id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id uuid NOT NULL REFERENCES study,
    number   integer NOT NULL CHECK (number > 0),
    cases    integer NOT NULL CHECK (cases > 0),
    reason   text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    author   uuid NOT NULL REFERENCES account,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    added_in xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- the transaction
    UNIQUE (study_id, number)
);

-- The part of a reader's order that an addition appends: positions from `first_position` on.
CREATE TABLE order_extension (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    enrolment_id   uuid NOT NULL REFERENCES allocation,
    study_id       uuid NOT NULL,
    reader_id      uuid NOT NULL,
    number         integer NOT NULL,
    first_position integer NOT NULL CHECK (first_position > 0),
    cases          integer NOT NULL CHECK (cases >= 0),  -- places; 0: all were excluded since
    order_sha256   text NOT NULL CHECK (order_sha256 ~ '^[0-9a-f]{64}$'),
    drawn_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    drawn_in       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    UNIQUE (enrolment_id, number),
    FOREIGN KEY (study_id, number) REFERENCES case_addition (study_id, number),
    FOREIGN KEY (enrolment_id, study_id, reader_id) REFERENCES enrolment (id, study_id, reader_id)
);
CREATE INDEX order_extension_study ON order_extension (study_id);

CREATE FUNCTION newest_addition(of_study uuid) RETURNS integer LANGUAGE sql STABLE
    SET search_path = reread, pg_temp AS $$
    SELECT coalesce(max(number), 0) FROM case_addition WHERE study_id = of_study
$$;

-- ---------------------------------------------------------------- what a protocol says

CREATE OR REPLACE FUNCTION protocol_content(s study) RETURNS text LANGUAGE sql STABLE
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

-- ---------------------------------------------------------------- cases that wait

CREATE OR REPLACE FUNCTION guard_draft() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Cases, images, reference standard and predictions arrive while the study is a draft; in an open
-- study only those of cases that wait to be added.
DECLARE
    s record;
    next_addition integer;
    its_case uuid;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7001, hashtext(NEW.study_id::text));
    SELECT code, state, model_version_id INTO s FROM study WHERE id = NEW.study_id;
    IF s.state NOT IN ('draft', 'open') THEN
        RAISE EXCEPTION 'The study "%" is %: its cases and predictions are frozen', s.code, s.state
            USING ERRCODE = 'RR409';
    END IF;
    next_addition := newest_addition(NEW.study_id) + 1;
    IF TG_TABLE_NAME = 'study_case' THEN
        NEW.addition := CASE s.state WHEN 'draft' THEN 0 ELSE next_addition END;
        IF s.state = 'open' AND NEW.purpose <> 'counted' THEN
            RAISE EXCEPTION 'The study "%" is open: training cases come first in every order and cannot be added', s.code
                USING ERRCODE = 'RR409';
        END IF;
        RETURN NEW;
    END IF;
    IF s.state = 'draft' THEN
        RETURN NEW;
    END IF;
    IF TG_TABLE_NAME = 'prediction' THEN
        its_case := (SELECT case_id FROM image WHERE id = NEW.image_id);
    ELSE
        its_case := NEW.case_id;
    END IF;
    IF (SELECT addition FROM study_case WHERE id = its_case) IS DISTINCT FROM next_addition THEN
        RAISE EXCEPTION 'The study "%" is open: its cases and predictions are frozen', s.code
            USING ERRCODE = 'RR409';
    END IF;
    IF TG_TABLE_NAME IN ('prediction', 'case_prediction') THEN
        IF NEW.model_version_id IS DISTINCT FROM s.model_version_id THEN
            RAISE EXCEPTION 'The study "%" is open: its predictions are those of its own model', s.code
                USING ERRCODE = 'RR409';
        END IF;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION guard_acknowledgement() RETURNS trigger LANGUAGE plpgsql
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
    IF s.state NOT IN ('draft', 'open') THEN
        RAISE EXCEPTION 'The study "%" is %: matches are acknowledged before cases are read', s.code, s.state
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

-- ---------------------------------------------------------------- the act

CREATE FUNCTION guard_addition() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    s study;
    missing text;
    found record;
BEGIN
    PERFORM guard_act(NEW.study_id, '{open}');
    SELECT * INTO s FROM study WHERE id = NEW.study_id;
    NEW.number := newest_addition(NEW.study_id) + 1;
    SELECT count(*) INTO NEW.cases FROM study_case c
    WHERE c.study_id = NEW.study_id AND c.addition = NEW.number
        AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = c.id);
    IF NEW.cases = 0 THEN
        RAISE EXCEPTION 'The study "%" has no cases that wait to be added: import them first', s.code
            USING ERRCODE = 'RR409';
    END IF;
    -- As at opening: no case may stand out by what it lacks.
    SELECT c.code INTO missing FROM study_case c
    WHERE c.study_id = NEW.study_id AND c.addition = NEW.number
        AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = c.id) AND (
        NOT EXISTS (SELECT FROM image i WHERE i.case_id = c.id)
        OR NOT EXISTS (SELECT FROM reference_diagnosis r WHERE r.case_id = c.id)
        OR NOT EXISTS (SELECT FROM case_prediction p WHERE p.case_id = c.id
                       AND p.model_version_id = s.model_version_id)
        OR EXISTS (SELECT FROM image i WHERE i.case_id = c.id AND NOT EXISTS
                   (SELECT FROM prediction p WHERE p.image_id = i.id
                    AND p.model_version_id = s.model_version_id)))
    ORDER BY c.code LIMIT 1;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'The cases cannot be added: case % lacks its image, reference standard or prediction', missing
            USING ERRCODE = 'RR409';
    END IF;
    SELECT * INTO found FROM seen_before_digest(NEW.study_id, s.model_version_id);
    IF found.matches > 0 AND NOT EXISTS (SELECT FROM seen_before_acknowledgement
            WHERE study_id = NEW.study_id AND matches_sha256 = found.digest) THEN
        RAISE EXCEPTION 'The cases cannot be added: nobody has said why the study''s % pictures and patients seen before may stay', found.matches
            USING ERRCODE = 'RR409';
    END IF;
    NEW.author := actor();
    NEW.added_at := clock_timestamp();
    NEW.added_in := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON case_addition FOR EACH ROW EXECUTE FUNCTION guard_addition();
CREATE TRIGGER amend AFTER INSERT ON case_addition FOR EACH ROW EXECUTE FUNCTION write_amendment();

CREATE FUNCTION check_addition() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- At commit: nobody's order was forgotten.
BEGIN
    IF EXISTS (SELECT FROM allocation l WHERE l.study_id = NEW.study_id AND NOT EXISTS (
               SELECT FROM order_extension e
               WHERE e.enrolment_id = l.enrolment_id AND e.number = NEW.number)) THEN
        RAISE EXCEPTION 'Added cases are appended to every reader''s order' USING ERRCODE = 'RR409';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER check_addition AFTER INSERT ON case_addition
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_addition();

-- ---------------------------------------------------------------- orders that grow

CREATE FUNCTION guard_extension() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    before record;
BEGIN
    -- With the addition itself, or with the whole order of somebody who joins after it.
    IF NOT EXISTS (SELECT FROM case_addition WHERE study_id = NEW.study_id AND number = NEW.number
                   AND added_in = pg_current_xact_id())
       AND NOT EXISTS (SELECT FROM allocation WHERE enrolment_id = NEW.enrolment_id
                       AND drawn_in = pg_current_xact_id()) THEN
        RAISE EXCEPTION 'A reader''s order grows by an addition of cases, once' USING ERRCODE = 'RR409';
    END IF;
    SELECT count(*) AS parts, coalesce(sum(cases), 0) AS cases INTO before
    FROM order_extension WHERE enrolment_id = NEW.enrolment_id;
    IF NEW.number <> before.parts + 1 THEN
        RAISE EXCEPTION 'Additions are appended one after the other' USING ERRCODE = 'RR409';
    END IF;
    NEW.first_position := 1 + before.cases
        + (SELECT cases FROM allocation WHERE enrolment_id = NEW.enrolment_id);
    NEW.drawn_at := clock_timestamp();
    NEW.drawn_in := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT ON order_extension FOR EACH ROW EXECUTE FUNCTION guard_open();
CREATE TRIGGER guard_step BEFORE INSERT ON order_extension FOR EACH ROW EXECUTE FUNCTION guard_extension();

CREATE OR REPLACE FUNCTION guard_assignment() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM allocation WHERE enrolment_id = NEW.enrolment_id
                   AND drawn_in = pg_current_xact_id())
       AND NOT EXISTS (SELECT FROM order_extension WHERE enrolment_id = NEW.enrolment_id
                       AND drawn_in = pg_current_xact_id()
                       AND NEW.position BETWEEN first_position AND first_position + cases - 1) THEN
        RAISE EXCEPTION 'A reader''s order is drawn once and as a whole' USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;

-- The places of a part of an order, as its digest says them; `addition`: of which cases it is.
CREATE FUNCTION refuse_wrong_part(of_enrolment uuid, of_addition integer, first_place integer,
                                  places integer, digest text, with_algorithm text)
    RETURNS void LANGUAGE plpgsql SET search_path = reread, pg_temp AS $$
DECLARE
    stored record;
BEGIN
    SELECT count(*) AS cases, count(DISTINCT a.case_id) AS different,
           count(*) FILTER (WHERE c.addition <> of_addition) AS others,
           encode(sha256(convert_to(coalesce(string_agg(
               CASE with_algorithm WHEN 'sha256-sort-1' THEN a.case_id::text
               ELSE concat_ws(',', a.position, a.case_id, a.arm, a.session, a.occasion) END,
               E'\n' ORDER BY a.position), ''), 'UTF8')), 'hex') AS digest
    INTO stored FROM assignment a JOIN study_case c ON c.id = a.case_id
    WHERE a.enrolment_id = of_enrolment AND a.position BETWEEN first_place AND first_place + places - 1;
    IF stored.cases <> places OR stored.digest <> digest OR stored.others > 0
       OR stored.different <> (SELECT count(*) FROM study_case c JOIN enrolment e ON e.study_id = c.study_id
                               WHERE e.id = of_enrolment AND c.addition = of_addition
                               AND NOT EXISTS (SELECT FROM case_exclusion x WHERE x.case_id = c.id)) THEN
        RAISE EXCEPTION 'The stored order is not the one its digest and number of cases say'
            USING ERRCODE = 'RR409';
    END IF;
END
$$;

CREATE FUNCTION refuse_other_design(of_enrolment uuid, of_study uuid) RETURNS void LANGUAGE plpgsql
    SET search_path = reread, pg_temp AS $$
DECLARE
    s study;
    repeated integer;
BEGIN
    SELECT * INTO s FROM study WHERE id = of_study;
    SELECT count(*) INTO repeated FROM assignment
    WHERE enrolment_id = of_enrolment AND occasion = 2 AND session = 1;
    IF repeated > s.repeats OR EXISTS (
        SELECT FROM assignment a WHERE a.enrolment_id = of_enrolment AND (
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
END
$$;

CREATE OR REPLACE FUNCTION check_order() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- At commit: the order is the one whose digest the reader is shown, of every case of the study,
-- and it is of the study's design; what was added since has its own parts behind it.
BEGIN
    IF (SELECT count(*) FROM order_extension WHERE enrolment_id = NEW.enrolment_id)
       <> newest_addition(NEW.study_id) THEN
        RAISE EXCEPTION 'Cases were added at the same moment: try again' USING ERRCODE = 'RR409';
    END IF;
    IF (SELECT count(*) FROM assignment WHERE enrolment_id = NEW.enrolment_id)
       <> NEW.cases + (SELECT coalesce(sum(cases), 0) FROM order_extension
                       WHERE enrolment_id = NEW.enrolment_id) THEN
        RAISE EXCEPTION 'The stored order is not the one its digest and number of cases say'
            USING ERRCODE = 'RR409';
    END IF;
    PERFORM refuse_wrong_part(NEW.enrolment_id, 0, 1, NEW.cases, NEW.order_sha256, NEW.algorithm);
    PERFORM refuse_other_design(NEW.enrolment_id, NEW.study_id);
    RETURN NULL;
END
$$;

CREATE FUNCTION check_extension() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    PERFORM refuse_wrong_part(NEW.enrolment_id, NEW.number, NEW.first_position, NEW.cases, NEW.order_sha256,
        (SELECT algorithm FROM allocation WHERE enrolment_id = NEW.enrolment_id));
    PERFORM refuse_other_design(NEW.enrolment_id, NEW.study_id);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER check_extension AFTER INSERT ON order_extension
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_extension();

-- ---------------------------------------------------------------- audit, append-only, rights

DO $$
DECLARE
    t record;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['case_addition', 'order_extension'] LOOP
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
        EXECUTE format('CREATE POLICY account ON %I TO reread_account USING (true) WITH CHECK (true)', name);
    END LOOP;
    FOR t IN SELECT c.relname, g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'reread' AND NOT g.tgisinternal AND g.tgenabled <> 'A' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t.relname, t.tgname);
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION newest_addition(uuid), guard_addition(), check_addition(), guard_extension(),
    refuse_wrong_part(uuid, integer, integer, integer, text, text), refuse_other_design(uuid, uuid),
    check_extension() FROM PUBLIC;
GRANT SELECT (addition) ON study_case TO reread_account;
GRANT SELECT (study_id, number, added_at) ON case_addition TO reread_account;
GRANT SELECT (enrolment_id, number) ON order_extension TO reread_account;
GRANT SELECT ON case_addition, order_extension TO reread_coordinator, reread_analyst, reread_auditor;
GRANT INSERT (study_id, reason) ON case_addition TO reread_coordinator;
GRANT INSERT (enrolment_id, study_id, reader_id, number, cases, order_sha256) ON order_extension
    TO reread_account, reread_coordinator;
