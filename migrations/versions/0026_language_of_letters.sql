-- A letter is written in the language of whom it is for: coordinators see the language that people of
-- their own studies chose, and nobody else's.
ALTER TABLE chosen_language ENABLE ROW LEVEL SECURITY;
CREATE POLICY account ON chosen_language TO reread_account USING (true) WITH CHECK (true);
CREATE POLICY coordinator ON chosen_language FOR SELECT TO reread_coordinator
    USING (in_my_studies(account_id));
GRANT SELECT ON chosen_language TO reread_coordinator;
