-- Operations that failed for good are told to the person, once.
ALTER TABLE operation ADD COLUMN is_told boolean NOT NULL DEFAULT false;
CREATE INDEX operation_refused ON operation (account_id, id)
    WHERE state = 'failed' AND NOT is_urgent AND NOT is_told;
