-- A draft whose making was asked for twice, because the first answer was lost, is made once.
ALTER TABLE draft ADD COLUMN idempotency_key text;
CREATE UNIQUE INDEX draft_by_key ON draft (account_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
