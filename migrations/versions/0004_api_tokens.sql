-- Tokens of the API: kept as digests, with what they may do, until when, and when last used.

CREATE TABLE api_token (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id   uuid NOT NULL REFERENCES account,
    name         text NOT NULL CHECK (length(btrim(name)) BETWEEN 1 AND 100),
    scopes       text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write', 'export']),
    token_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(token_sha256) = 32),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at <= created_at + interval '366 days'),
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_token_account ON api_token (account_id);

CREATE FUNCTION guard_api_token() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.account_id IS DISTINCT FROM actor() THEN
            RAISE EXCEPTION 'A token is made by the one it acts for' USING ERRCODE = 'RR403';
        END IF;
        NEW.last_used_at := NULL;
        NEW.revoked_at := NULL;
    ELSIF (OLD.id, OLD.account_id, OLD.name, OLD.scopes, OLD.token_sha256, OLD.created_at, OLD.expires_at)
          IS DISTINCT FROM
          (NEW.id, NEW.account_id, NEW.name, NEW.scopes, NEW.token_sha256, NEW.created_at, NEW.expires_at)
          OR OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'A token does not change; one that was revoked stays so' USING ERRCODE = 'RR409';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON api_token
    FOR EACH ROW EXECUTE FUNCTION guard_api_token();
-- That a token was used is no event of the log: what was done with it is.
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE OF revoked_at ON api_token
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_row('id');
CREATE TRIGGER no_delete BEFORE DELETE ON api_token
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON api_token
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE api_token ENABLE ALWAYS TRIGGER guard;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER audit;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER no_delete;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER no_truncate;

REVOKE ALL ON FUNCTION guard_api_token() FROM PUBLIC;
GRANT SELECT ON api_token TO reread_account;
GRANT INSERT (account_id, name, scopes, token_sha256, created_at, expires_at) ON api_token TO reread_account;
GRANT UPDATE (last_used_at, revoked_at) ON api_token TO reread_account;
