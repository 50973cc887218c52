-- The same picture in two studies: what a person has in one of them must tell nothing of the other.

-- Whether one of a case's pictures waits for a person's call in another study: drawn and not read
-- yet, or to be drawn when that study opens.
CREATE FUNCTION waits_elsewhere(of_case uuid, person uuid) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM image k JOIN image j ON j.sha256 = k.sha256 AND j.study_id <> k.study_id
        JOIN study t ON t.id = j.study_id
        JOIN enrolment e ON e.study_id = t.id AND e.reader_id = person
        WHERE k.case_id = of_case AND (t.state = 'draft' OR t.state = 'open' AND EXISTS (
            SELECT FROM assignment o
            WHERE o.enrolment_id = e.id AND o.case_id = j.case_id AND NOT is_finished(o.id))))
$$;

-- The same of any picture of a study. Of who reads nowhere, only the enrolments are looked at.
CREATE FUNCTION study_waits_elsewhere(of_study uuid, person uuid) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM enrolment e JOIN study t ON t.id = e.study_id AND t.id <> of_study
        JOIN image j ON j.study_id = t.id JOIN image k ON k.sha256 = j.sha256 AND k.study_id = of_study
        WHERE e.reader_id = person AND (t.state = 'draft' OR t.state = 'open' AND EXISTS (
            SELECT FROM assignment o
            WHERE o.enrolment_id = e.id AND o.case_id = j.case_id AND NOT is_finished(o.id))))
$$;

-- As in 0005; a training case's truth is kept back while the same picture waits elsewhere.
CREATE OR REPLACE FUNCTION training_truth(of_assignment uuid) RETURNS TABLE (diagnosis text, source text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT d.diagnosis, d.source
    FROM assignment a JOIN reference_diagnosis d ON d.case_id = a.case_id
    WHERE a.id = of_assignment AND a.reader_id = actor() AND a.purpose = 'training'
        AND EXISTS (SELECT FROM reading r WHERE r.assignment_id = a.id
            AND r.phase = CASE a.arm WHEN 'with_ai' THEN 'aided' ELSE 'unaided' END
            AND r.locked_in IS DISTINCT FROM pg_current_xact_id_if_assigned())
        AND NOT waits_elsewhere(a.case_id, a.reader_id)
$$;

-- As in 0002; whoever reads the same pictures in another study adjudicates and audits none of them
-- meanwhile. They are again what they were once the other study is closed, or they have read it.
CREATE OR REPLACE FUNCTION adjudicated() RETURNS uuid[] LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT study_id), '{}') FROM membership
    WHERE account_id = actor() AND role = 'adjudicator' AND has_part(study_id, actor(), 'adjudicator')
        AND NOT study_waits_elsewhere(study_id, actor())
$$;
CREATE OR REPLACE FUNCTION audited() RETURNS uuid[] LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT study_id), '{}') FROM membership
    WHERE account_id = actor() AND role = 'auditor' AND has_part(study_id, actor(), 'auditor')
        AND NOT study_waits_elsewhere(study_id, actor())
$$;

CREATE FUNCTION guard_known() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = reread, pg_temp AS $$
-- The other way round: who adjudicates or audits a study reads none of its pictures elsewhere, where
-- they could have looked: before they were enrolled here, or before the picture came here. Since
-- then that study was shut for them.
BEGIN
    IF EXISTS (SELECT FROM assignment a
               JOIN study_case c ON c.id = a.case_id
               JOIN enrolment e ON e.id = a.enrolment_id
               JOIN membership m ON m.account_id = a.reader_id AND m.study_id <> a.study_id
                   AND m.role IN ('adjudicator', 'auditor') AND m.active
               JOIN image k ON k.case_id = a.case_id
               JOIN image j ON j.study_id = m.study_id AND j.sha256 = k.sha256
               JOIN study_case o ON o.id = j.case_id
               WHERE a.id = NEW.assignment_id
                   AND greatest(m.changed_at, o.imported_at) < greatest(e.enrolled_at, c.imported_at)) THEN
        RAISE EXCEPTION 'You know this picture from a study that you adjudicate or audit: ask the coordinator to end your part in this one'
            USING ERRCODE = 'RR403';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard_known BEFORE INSERT ON served
    FOR EACH ROW EXECUTE FUNCTION guard_known();
ALTER TABLE served ENABLE ALWAYS TRIGGER guard_known;
REVOKE ALL ON FUNCTION waits_elsewhere(uuid, uuid), study_waits_elsewhere(uuid, uuid), guard_known() FROM PUBLIC;
