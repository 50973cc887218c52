-- Signing in at a hospital's identity provider (OpenID Connect).

-- Whom the provider knows by which subject. Bound once, at the first sign-in, by a verified e-mail;
-- afterwards only the subject counts: an address that is given to somebody else opens nothing.
CREATE TABLE provider_identity (
    issuer     text NOT NULL,
    subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    account_id uuid NOT NULL REFERENCES account,
    bound_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (issuer, subject),
    UNIQUE (account_id, issuer)
);

-- A sign-in that was sent to the provider and is not back yet: the digest of the browser's token,
-- from which state, nonce and verifier are derived. Taken out when it comes back: it works once.
CREATE TABLE provider_sign_in (
    token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    goes_to      text NOT NULL CHECK (length(goes_to) <= 2000),  -- the page that was asked for
    expires_at   timestamptz NOT NULL
);

CREATE FUNCTION audit_provider_identity() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Whose, and which provider's; the subject names a person and stays out of the log.
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM append_event(NULL, 'provider_identity.removed', OLD.account_id::text,
                             jsonb_build_object('issuer', OLD.issuer)::text);
    ELSE
        PERFORM append_event(NULL, 'provider_identity.bound', NEW.account_id::text,
                             jsonb_build_object('issuer', NEW.issuer)::text);
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR DELETE ON provider_identity
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_provider_identity();
CREATE TRIGGER no_change BEFORE UPDATE ON provider_identity
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON provider_identity
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE provider_identity ENABLE ALWAYS TRIGGER audit;
ALTER TABLE provider_identity ENABLE ALWAYS TRIGGER no_change;
ALTER TABLE provider_identity ENABLE ALWAYS TRIGGER no_truncate;

CREATE FUNCTION drop_provider_identity() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Whoever is erased is known by no provider any more.
BEGIN
    DELETE FROM provider_identity WHERE account_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER drop_provider_identity AFTER UPDATE OF password_hash ON account FOR EACH ROW
    WHEN (NEW.password_hash IS NULL AND OLD.password_hash IS NOT NULL)
    EXECUTE FUNCTION drop_provider_identity();
ALTER TABLE account ENABLE ALWAYS TRIGGER drop_provider_identity;

REVOKE ALL ON FUNCTION audit_provider_identity(), drop_provider_identity() FROM PUBLIC;
GRANT SELECT, DELETE ON provider_identity TO reread_account;
GRANT INSERT (issuer, subject, account_id) ON provider_identity TO reread_account;
GRANT SELECT, INSERT, DELETE ON provider_sign_in TO reread_account;

-- ---------------------------------------------------------------- second factors

-- What changes without an event must not change whose factor it is, or what opens it.
CREATE FUNCTION guard_second_factor() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_at IS NOT NULL THEN
            RAISE EXCEPTION 'A second factor is confirmed after it was set up' USING ERRCODE = 'RR409';
        END IF;
    ELSIF NEW.account_id <> OLD.account_id
          OR OLD.confirmed_at IS NOT NULL
             AND (NEW.secret, NEW.made_at, NEW.confirmed_at) IS DISTINCT FROM
                 (OLD.secret, OLD.made_at, OLD.confirmed_at)
          OR NEW.secret = OLD.secret AND NEW.last_step < OLD.last_step THEN
        RAISE EXCEPTION 'A second factor that is in use does not change: remove it and set it up again'
            USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON second_factor
    FOR EACH ROW EXECUTE FUNCTION guard_second_factor();
ALTER TABLE second_factor ENABLE ALWAYS TRIGGER guard;

CREATE FUNCTION guard_recovery_code() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Ten come with the second factor, and no more later; one that was used stays so.
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.used_at IS NOT NULL OR NEW.used_at IS NULL THEN
            RAISE EXCEPTION 'A recovery code works once' USING ERRCODE = 'RR409';
        END IF;
    ELSE
        PERFORM FROM second_factor WHERE account_id = NEW.account_id FOR UPDATE;
        IF NEW.used_at IS NOT NULL
           OR (SELECT count(*) FROM recovery_code WHERE account_id = NEW.account_id) >= 10 THEN
            RAISE EXCEPTION 'Recovery codes come with the second factor, ten of them'
                USING ERRCODE = 'RR409';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON recovery_code
    FOR EACH ROW EXECUTE FUNCTION guard_recovery_code();
ALTER TABLE recovery_code ENABLE ALWAYS TRIGGER guard;

REVOKE ALL ON FUNCTION guard_second_factor(), guard_recovery_code() FROM PUBLIC;
REVOKE UPDATE ON second_factor FROM reread_account;
GRANT UPDATE (secret, made_at, confirmed_at, last_step) ON second_factor TO reread_account;

-- ---------------------------------------------------------------- erasing a person

-- As before, and also what signing in left behind: the network addresses.
CREATE OR REPLACE FUNCTION guard_log() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    -- The one change there is: the payload of an erased person's own account goes, all else stays.
    IF TG_OP = 'UPDATE' AND NEW.payload = '' AND OLD.action ~ '^(account|sign_in|sign_out)\.'
       AND to_jsonb(NEW) - 'payload' = to_jsonb(OLD) - 'payload'
       AND EXISTS (SELECT FROM erasure WHERE account_id::text = OLD.entity) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% in %.% is refused: rows here are never changed or removed',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'RR409';
END
$$;

CREATE OR REPLACE FUNCTION erase_person(person uuid, why text) RETURNS void LANGUAGE plpgsql
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
    UPDATE audit_event SET payload = ''
    WHERE entity = person::text AND action ~ '^(account|sign_in|sign_out)\.' AND payload <> '';
END
$$;
