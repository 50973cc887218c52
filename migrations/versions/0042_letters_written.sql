-- What was written to a study's readers, for those who coordinate it: when, and the digest of the
-- words, which themselves are kept nowhere. They read nothing else of the log.
CREATE FUNCTION letters_written(of_study uuid) RETURNS TABLE (
        reader_id uuid, kind text, sent boolean, text_sha256 text, at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = reread, pg_temp AS $$
    SELECT (e.payload::jsonb ->> 'to')::uuid, e.payload::jsonb ->> 'kind',
        e.action = 'message.sent', e.payload::jsonb ->> 'sha256', e.at
    FROM audit_event e
    WHERE e.chain = of_study AND of_study = ANY (coordinated())
        AND e.action IN ('message.sent', 'message.handed_over')
        AND e.payload::jsonb ->> 'kind' IN ('reminder', 'message')
    ORDER BY e.seq
$$;

CREATE INDEX audit_event_letters ON audit_event (chain, seq)
    WHERE action IN ('message.sent', 'message.handed_over');

REVOKE ALL ON FUNCTION letters_written(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION letters_written(uuid) TO reread_coordinator;
