-- Where a sign-in was begun, so that nobody fills these tables: an address has its share of them.
-- Rows live for minutes; those of before have no network and count for nobody.

ALTER TABLE provider_sign_in ADD COLUMN network text NOT NULL DEFAULT '';
ALTER TABLE passkey_challenge ADD COLUMN network text NOT NULL DEFAULT '';
CREATE INDEX provider_sign_in_expiry ON provider_sign_in (expires_at);
CREATE INDEX passkey_challenge_expiry ON passkey_challenge (expires_at);
