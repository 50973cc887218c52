-- What people do with their own account: see and end their sessions, set a new password by a link.
-- And guesses at passwords: each is counted before it is checked, apart for devices that are known.

ALTER TABLE sign_in_session
    ADD COLUMN id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    ADD COLUMN address text NOT NULL DEFAULT '',
    ADD COLUMN browser text NOT NULL DEFAULT '' CHECK (length(browser) <= 400);

-- Counted and not yet checked. A row that stays so (its process died) counts as a wrong one.
ALTER TABLE sign_in_failure ADD COLUMN pending boolean NOT NULL DEFAULT false;
GRANT UPDATE (pending) ON sign_in_failure TO reread_account;

-- A browser from which an account has signed in before: what strangers guess does not shut it out.
CREATE TABLE known_device (
    token_sha256 bytea NOT NULL CHECK (octet_length(token_sha256) = 32),
    account_id   uuid NOT NULL REFERENCES account,
    seen_at      timestamptz NOT NULL,
    PRIMARY KEY (token_sha256, account_id)
);
CREATE INDEX known_device_account ON known_device (account_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON known_device TO reread_account;

-- A link that sets a new password: digest only, one use, one hour.
CREATE TABLE password_reset (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id   uuid NOT NULL REFERENCES account,
    token_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(token_sha256) = 32),
    made_by      uuid REFERENCES account,  -- an administrator; NULL: asked for by e-mail or command
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at <= created_at + interval '1 hour'),
    used_at      timestamptz
);
CREATE INDEX password_reset_account ON password_reset (account_id, created_at);

CREATE FUNCTION guard_password_reset() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.used_at := NULL;
        IF NEW.made_by IS DISTINCT FROM actor()
           OR NEW.made_by IS NOT NULL AND NOT is_administrator(NEW.made_by) THEN
            RAISE EXCEPTION 'A link for a new password is made by an administrator'
                USING ERRCODE = 'RR403';
        END IF;
    ELSIF to_jsonb(OLD) - 'used_at' IS DISTINCT FROM to_jsonb(NEW) - 'used_at'
          OR OLD.used_at IS NOT NULL AND NEW.used_at IS DISTINCT FROM OLD.used_at THEN
        RAISE EXCEPTION 'A link for a new password does not change; one that was used stays so'
            USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON password_reset
    FOR EACH ROW EXECUTE FUNCTION guard_password_reset();
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE ON password_reset
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row('id');
CREATE TRIGGER no_delete BEFORE DELETE ON password_reset
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON password_reset
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE password_reset ENABLE ALWAYS TRIGGER guard;
ALTER TABLE password_reset ENABLE ALWAYS TRIGGER audit;
ALTER TABLE password_reset ENABLE ALWAYS TRIGGER no_delete;
ALTER TABLE password_reset ENABLE ALWAYS TRIGGER no_truncate;

REVOKE ALL ON FUNCTION guard_password_reset() FROM PUBLIC;
GRANT SELECT ON password_reset TO reread_account;
GRANT INSERT (account_id, token_sha256, made_by, created_at, expires_at) ON password_reset TO reread_account;
GRANT UPDATE (used_at) ON password_reset TO reread_account;
