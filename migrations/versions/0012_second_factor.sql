-- A second factor: the shared secret of an authenticator app (RFC 6238) and recovery codes.

CREATE TABLE second_factor (
    account_id   uuid PRIMARY KEY REFERENCES account,
    secret       text NOT NULL,
    made_at      timestamptz NOT NULL,
    confirmed_at timestamptz,                -- NULL: being set up, asked of nobody yet
    last_step    bigint NOT NULL DEFAULT 0   -- of the newest code used: each works once
);

CREATE TABLE recovery_code (
    account_id  uuid NOT NULL REFERENCES second_factor ON DELETE CASCADE,
    code_sha256 bytea NOT NULL CHECK (octet_length(code_sha256) = 32),
    used_at     timestamptz,
    PRIMARY KEY (account_id, code_sha256)
);

-- The password was right, the code is still to come. No session: it opens nothing.
CREATE TABLE pending_sign_in (
    token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    account_id   uuid NOT NULL REFERENCES account,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX pending_sign_in_account ON pending_sign_in (account_id);

CREATE FUNCTION audit_second_factor() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Whose, and that it came or went; never the secret.
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.confirmed_at IS NOT NULL THEN
            PERFORM append_event(NULL, 'second_factor.removed', OLD.account_id::text, '{}');
        END IF;
    ELSIF NEW.confirmed_at IS NOT NULL THEN
        PERFORM append_event(NULL, 'second_factor.added', NEW.account_id::text, '{}');
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE OF confirmed_at OR DELETE ON second_factor
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_second_factor();
ALTER TABLE second_factor ENABLE ALWAYS TRIGGER audit;

CREATE FUNCTION drop_second_factor() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- Whoever is erased has no password any more, and no second factor either.
BEGIN
    DELETE FROM second_factor WHERE account_id = NEW.id;
    DELETE FROM pending_sign_in WHERE account_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER drop_second_factor AFTER UPDATE OF password_hash ON account FOR EACH ROW
    WHEN (NEW.password_hash IS NULL AND OLD.password_hash IS NOT NULL)
    EXECUTE FUNCTION drop_second_factor();
ALTER TABLE account ENABLE ALWAYS TRIGGER drop_second_factor;

REVOKE ALL ON FUNCTION audit_second_factor(), drop_second_factor() FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON second_factor, pending_sign_in TO reread_account;
GRANT SELECT, INSERT ON recovery_code TO reread_account;
GRANT UPDATE (used_at) ON recovery_code TO reread_account;
