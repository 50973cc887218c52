-- The language a person chose for the pages. A preference, of no study and in no log: it may change.
CREATE TABLE chosen_language (
    account_id uuid PRIMARY KEY REFERENCES account,
    language   text NOT NULL CHECK (language ~ '^[A-Za-z_]{2,20}$')
);
GRANT SELECT, INSERT, UPDATE ON chosen_language TO reread_account;
