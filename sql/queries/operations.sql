-- Of operations. The viewer ($2 or as said; 0: whoever) is named beside row-level security.

-- A key that is known already brings the earlier operation's id: whichever of two concurrent ones
-- is second waits for the first one's commit and then finds it. The id it had reserved is lost.
-- name: operation_enqueue
WITH known AS (
    SELECT o.id FROM operation o JOIN account a ON a.id = o.account_id
     WHERE o.account_id = $1 AND o.idempotency_key = $6 AND NOT a.is_gone
       AND ($2 = 0 OR a.user_id = $2)),
next AS (
    UPDATE account SET next_id = next_id + 1
     WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2) AND NOT EXISTS (SELECT FROM known)
    RETURNING next_id - 1 AS id),
added AS (
    INSERT INTO operation AS o (account_id, id, kind, arguments, is_urgent, idempotency_key)
    SELECT $1, next.id, $3, $4, $5, $6 FROM next
    ON CONFLICT (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL
    DO UPDATE SET attempts = o.attempts
    RETURNING o.id)
SELECT added.id FROM added, LATERAL pg_notify('restante', format('op %s', ($1)::bigint))
UNION ALL
SELECT known.id FROM known;

-- The columns of operation_take too.
-- name: operation_by_id
SELECT o.account_id, o.id, o.kind, o.arguments, o.state, o.is_urgent, o.attempts, o.journal,
       o.result, o.error_kind, o.error, o.created_at, o.finished_at
  FROM operation o JOIN account a ON a.id = o.account_id
 WHERE o.account_id = $1 AND o.id = $3 AND NOT a.is_gone AND ($2 = 0 OR a.user_id = $2);

-- One lane an account: the oldest that waits, and nothing while it runs or until its time has come.
-- Only the urgent ones, which read, may overtake.
-- name: operation_take
WITH urgent AS (
    SELECT id FROM operation
     WHERE account_id = $1 AND is_urgent AND state = 'pending' AND not_before <= now()
     ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED),
lane AS (
    SELECT id, state, not_before FROM operation
     WHERE account_id = $1 AND NOT is_urgent AND state IN ('pending', 'running')
     ORDER BY id LIMIT 1),
next AS (
    SELECT id FROM urgent
    UNION ALL
    SELECT id FROM lane WHERE state = 'pending' AND not_before <= now()
    LIMIT 1)
UPDATE operation o SET state = 'running', attempts = o.attempts + 1
  FROM next
 WHERE o.account_id = $1 AND o.id = next.id AND o.state = 'pending'
RETURNING o.account_id, o.id, o.kind, o.arguments, o.state, o.is_urgent, o.attempts, o.journal,
          o.result, o.error_kind, o.error, o.created_at, o.finished_at;

-- name: operation_journal
UPDATE operation SET journal = $3 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- name: operation_finish
WITH ended AS (
    UPDATE operation
       SET state = 'done', result = $3, error_kind = NULL, error = NULL, finished_at = now()
     WHERE account_id = $1 AND id = $2 AND state = 'running' RETURNING is_urgent)
SELECT ended.is_urgent
  FROM ended, LATERAL pg_notify('restante', format('done %s %s', ($1)::bigint, ($2)::bigint));

-- name: operation_fail
WITH ended AS (
    UPDATE operation
       SET state = 'failed', error_kind = $3, error = $4, finished_at = now()
     WHERE account_id = $1 AND id = $2 AND state = 'running' RETURNING is_urgent)
SELECT ended.is_urgent
  FROM ended, LATERAL pg_notify('restante', format('done %s %s', ($1)::bigint, ($2)::bigint));

-- What went wrong stays to be read while it waits.
-- name: operation_retry
UPDATE operation SET state = 'pending', error_kind = $3, error = $4, not_before = $5
 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- name: operations_recover
UPDATE operation SET state = 'pending' WHERE account_id = $1 AND state = 'running';
