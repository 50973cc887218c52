-- What tells whether the installation works, which requests were refused, and who was erased.

-- ---------------------------------------------------------------- readiness

-- For the web application's readiness check: states and ages, nothing of any study.
CREATE FUNCTION readiness() RETURNS TABLE (revision text, guards_on text[], heartbeat_seconds double precision,
                                           waiting_jobs bigint, failed_jobs bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT (SELECT max(version_num) FROM alembic_version),
           (SELECT coalesce(array_agg(c.relname || '.' || t.tgname), '{}') FROM pg_trigger t
            JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'reread' AND NOT t.tgisinternal AND t.tgenabled = 'A'),
           (SELECT extract(epoch FROM clock_timestamp() - max(last_heartbeat))::double precision
            FROM jobs.procrastinate_workers),
           (SELECT count(*) FROM jobs.procrastinate_jobs WHERE status = 'todo' AND task_name = 'score_images'),
           (SELECT count(*) FROM jobs.procrastinate_jobs WHERE status = 'failed')
$$;

-- ---------------------------------------------------------------- refused requests

-- A request of a signed-in person that their part does not allow. In a transaction of its own: the
-- request's ends with the refusal. The same again within a minute adds nothing, so that no one fills
-- the log.
CREATE FUNCTION record_refusal(the_method text, the_route text) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    said text := jsonb_build_object('method', left(the_method, 20), 'route', left(the_route, 200))::text;
BEGIN
    IF actor() IS NULL THEN
        RAISE EXCEPTION 'A refusal is somebody''s' USING ERRCODE = 'RR403';
    END IF;
    IF NOT EXISTS (SELECT FROM (SELECT actor, payload, at FROM audit_event
                                WHERE chain = '00000000-0000-0000-0000-000000000000'
                                  AND action = 'request.refused' ORDER BY seq DESC LIMIT 50) AS late
                   WHERE late.actor = actor()::text AND late.payload = said
                     AND late.at > clock_timestamp() - interval '1 minute') THEN
        PERFORM append_event(NULL, 'request.refused', actor()::text, said);
    END IF;
END
$$;
CREATE INDEX audit_event_refused ON audit_event (seq) WHERE action = 'request.refused';

-- ---------------------------------------------------------------- what a person attested

-- As before, and also that somebody looked at the pictures they import.
CREATE OR REPLACE FUNCTION record_event(of_study uuid, the_action text, the_entity text, details jsonb)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF the_action !~ '^(sign_in|sign_out|results|export|message|audit|import|installation)\.[a-z_]+$' THEN
        RAISE EXCEPTION 'record_event does not write "%": table changes write their own event', the_action
            USING ERRCODE = 'RR403';
    END IF;
    IF the_action ~ '^installation' THEN
        IF of_study IS NOT NULL OR NOT is_administrator(actor()) THEN
            RAISE EXCEPTION 'Not an event for this chain' USING ERRCODE = 'RR403';
        END IF;
    ELSIF the_action ~ '^sign_' AND of_study IS NOT NULL
       OR the_action ~ '^audit' AND has_part(of_study, actor(), 'auditor') IS NOT TRUE
       OR the_action !~ '^(sign_|audit)' AND coordinates(of_study) IS NOT TRUE THEN
        RAISE EXCEPTION 'Not an event for this chain' USING ERRCODE = 'RR403';
    END IF;
    PERFORM append_event(of_study, the_action, the_entity, details::text);
END
$$;

-- The installation's own chain (accounts, sign-ins, refusals, models), for its administrators; it
-- holds nothing of any study.
CREATE FUNCTION installation_log(before_number bigint, of_kind text, at_most integer) RETURNS SETOF audit_event
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT * FROM audit_event
    WHERE chain = '00000000-0000-0000-0000-000000000000' AND is_administrator(actor())
      AND seq < before_number AND (of_kind = '' OR action = of_kind)
    ORDER BY seq DESC LIMIT at_most
$$;
CREATE FUNCTION installation_kinds() RETURNS TABLE (action text, count bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT action, count(*) FROM audit_event
    WHERE chain = '00000000-0000-0000-0000-000000000000' AND is_administrator(actor())
    GROUP BY action ORDER BY action
$$;

-- ---------------------------------------------------------------- erasing a person

-- What the law may ask for: name and address go, in the tables and in the log. The readings stay, under
-- the account's id. The hash of an event covers the digest of its payload, so the chain still verifies.
CREATE TABLE erasure (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL UNIQUE REFERENCES account,
    reason     text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 2000),
    erased_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_by  text NOT NULL DEFAULT session_user
);

CREATE FUNCTION guard_log() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    -- The one change there is: the payload of an erased person's own account goes, all else stays.
    IF TG_OP = 'UPDATE' AND NEW.payload = '' AND OLD.action LIKE 'account.%'
       AND to_jsonb(NEW) - 'payload' = to_jsonb(OLD) - 'payload'
       AND EXISTS (SELECT FROM erasure WHERE account_id::text = OLD.entity) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% in %.% is refused: rows here are never changed or removed',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'RR409';
END
$$;
DROP TRIGGER no_change ON audit_event;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION guard_log();

CREATE FUNCTION erase_person(person uuid, why text) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
DECLARE
    nobody text := 'erased-' || person || '@erased.invalid';
    was    text;
BEGIN
    SELECT email INTO was FROM account WHERE id = person;
    IF was IS NULL THEN
        RAISE EXCEPTION 'There is no such account' USING ERRCODE = 'RR404';
    END IF;
    INSERT INTO erasure (account_id, reason) VALUES (person, why);
    UPDATE account SET email = nobody, name = 'Erased person', password_hash = NULL,
        disabled_at = coalesce(disabled_at, clock_timestamp()) WHERE id = person;
    UPDATE invitation SET email = nobody WHERE accepted_by = person OR email = was;
    UPDATE api_token SET revoked_at = clock_timestamp() WHERE account_id = person AND revoked_at IS NULL;
    DELETE FROM sign_in_session WHERE account_id = person;
    DELETE FROM known_device WHERE account_id = person;
    DELETE FROM sign_in_failure WHERE email_sha256 = sha256(convert_to(was, 'UTF8'));
    SET CONSTRAINTS ALL IMMEDIATE;  -- the events of all this, so that theirs are emptied too
    UPDATE audit_event SET payload = '' WHERE entity = person::text AND action LIKE 'account.%';
END
$$;

CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON erasure
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row('account_id');
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON erasure
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON erasure
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE erasure ENABLE ALWAYS TRIGGER audit;
ALTER TABLE erasure ENABLE ALWAYS TRIGGER no_change;
ALTER TABLE erasure ENABLE ALWAYS TRIGGER no_truncate;
ALTER TABLE audit_event ENABLE ALWAYS TRIGGER no_change;

REVOKE ALL ON FUNCTION readiness(), record_refusal(text, text), guard_log(), erase_person(uuid, text),
    installation_log(bigint, text, integer), installation_kinds() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readiness(), record_refusal(text, text),
    installation_log(bigint, text, integer), installation_kinds() TO reread_account;
