-- The next message to go out is found without a look at all that wait: of a thousand each was looked at
-- a thousand times.
CREATE INDEX submission_due ON submission
    (account_id, phase, (CASE WHEN waits_for_server THEN send_at ELSE greatest(send_at, not_before) END), id);
