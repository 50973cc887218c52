-- Passkeys (W3C Web Authentication): public keys of people's devices. Nothing here is a secret.

CREATE TABLE passkey (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id    uuid NOT NULL REFERENCES account,
    credential_id bytea NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    public_key    bytea NOT NULL,
    sign_count    bigint NOT NULL CHECK (sign_count >= 0),  -- of the device; 0: it does not count
    name          text NOT NULL CHECK (length(btrim(name)) BETWEEN 1 AND 60),
    made_at       timestamptz NOT NULL,
    used_at       timestamptz
);
CREATE INDEX passkey_account ON passkey (account_id);

-- What a device is asked to sign: once, within minutes, and for the account that it was made for.
CREATE TABLE passkey_challenge (
    challenge_sha256 bytea PRIMARY KEY CHECK (octet_length(challenge_sha256) = 32),
    account_id       uuid REFERENCES account,  -- who adds a passkey; NULL: somebody signs in
    expires_at       timestamptz NOT NULL
);

CREATE FUNCTION guard_passkey() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Nothing of it changes but its use, and a device's count never goes back.
BEGIN
    IF to_jsonb(OLD) - '{sign_count,used_at}'::text[] IS DISTINCT FROM
       to_jsonb(NEW) - '{sign_count,used_at}'::text[] OR NEW.sign_count < OLD.sign_count THEN
        RAISE EXCEPTION 'A passkey does not change: remove it and add another' USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE UPDATE ON passkey FOR EACH ROW EXECUTE FUNCTION guard_passkey();
ALTER TABLE passkey ENABLE ALWAYS TRIGGER guard;

CREATE FUNCTION audit_passkey() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Whose, and that it came or went; what its owner calls it stays out of the log.
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM append_event(NULL, 'passkey.removed', OLD.account_id::text,
                             jsonb_build_object('passkey', OLD.id)::text);
    ELSE
        PERFORM append_event(NULL, 'passkey.added', NEW.account_id::text,
                             jsonb_build_object('passkey', NEW.id)::text);
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR DELETE ON passkey
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_passkey();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON passkey
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE passkey ENABLE ALWAYS TRIGGER audit;
ALTER TABLE passkey ENABLE ALWAYS TRIGGER no_truncate;

CREATE FUNCTION drop_passkeys() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Whoever is erased has no passkey any more either.
BEGIN
    DELETE FROM passkey WHERE account_id = NEW.id;
    DELETE FROM passkey_challenge WHERE account_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER drop_passkeys AFTER UPDATE OF password_hash ON account FOR EACH ROW
    WHEN (NEW.password_hash IS NULL AND OLD.password_hash IS NOT NULL)
    EXECUTE FUNCTION drop_passkeys();
ALTER TABLE account ENABLE ALWAYS TRIGGER drop_passkeys;

REVOKE ALL ON FUNCTION guard_passkey(), audit_passkey(), drop_passkeys() FROM PUBLIC;
GRANT SELECT, DELETE ON passkey TO reread_account;
GRANT INSERT (account_id, credential_id, public_key, sign_count, name, made_at) ON passkey TO reread_account;
GRANT UPDATE (sign_count, used_at) ON passkey TO reread_account;
GRANT SELECT, INSERT, DELETE ON passkey_challenge TO reread_account;
