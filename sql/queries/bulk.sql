-- Actions on everything that matches (server/store/bulk.h).

-- As operation_enqueue: a key that is known brings the earlier one's id.
-- name: bulk_add
WITH known AS (
    SELECT b.id FROM bulk b JOIN account a ON a.id = b.account_id
     WHERE b.account_id = $1 AND b.idempotency_key = $13 AND NOT a.is_gone
       AND ($2 = 0 OR a.user_id = $2)),
next AS (
    UPDATE account SET next_id = next_id + 1
     WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2) AND NOT EXISTS (SELECT FROM known)
    RETURNING next_id - 1 AS id),
added AS (
    INSERT INTO bulk AS b (account_id, id, kind, mailbox_id, query, zone_minutes, set_flags,
                           clear_flags, add_words, remove_words, target_id, undoes_id,
                           idempotency_key, until)
    SELECT $1, next.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM next
    ON CONFLICT (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL
    DO UPDATE SET done = b.done
    RETURNING b.id)
SELECT added.id FROM added, LATERAL pg_notify('restante', format('bulk %s', ($1)::bigint))
UNION ALL
SELECT known.id FROM known;

-- name: bulk_by_id
SELECT b.account_id, b.id, b.kind, b.state, b.mailbox_id, b.query, b.asked_at, b.zone_minutes,
       b.set_flags, b.clear_flags, b.add_words, b.remove_words, b.target_id, b.until, b.undoes_id,
       b.found IS NOT NULL, b.total, b.done, b.is_marked, b.changed, b.error, b.ended_at, a.user_id
  FROM bulk b JOIN account a ON a.id = b.account_id
 WHERE b.account_id = $1 AND b.id = $3 AND NOT a.is_gone AND ($2 = 0 OR a.user_id = $2);

-- name: bulk_list
SELECT b.account_id, b.id, b.kind, b.state, b.mailbox_id, b.query, b.asked_at, b.zone_minutes,
       b.set_flags, b.clear_flags, b.add_words, b.remove_words, b.target_id, b.until, b.undoes_id,
       b.found IS NOT NULL, b.total, b.done, b.is_marked, b.changed, b.error, b.ended_at, a.user_id
  FROM bulk b JOIN account a ON a.id = b.account_id
 WHERE b.account_id = $1 AND NOT a.is_gone AND ($2 = 0 OR a.user_id = $2)
 ORDER BY b.id DESC
 LIMIT $3;

-- The one that was not gone on with for longest, and of each account the oldest.
-- name: bulk_next
SELECT b.account_id, b.id, b.kind, b.state, b.mailbox_id, b.query, b.asked_at, b.zone_minutes,
       b.set_flags, b.clear_flags, b.add_words, b.remove_words, b.target_id, b.until, b.undoes_id,
       b.found IS NOT NULL, b.total, b.done, b.is_marked, b.changed, b.error, b.ended_at, a.user_id
  FROM bulk b JOIN account a ON a.id = b.account_id
 WHERE b.state = 'running' AND NOT a.is_gone
   AND NOT EXISTS (SELECT FROM bulk o
                    WHERE o.account_id = b.account_id AND o.state = 'running' AND o.id < b.id)
 ORDER BY b.stepped_at
 LIMIT 1;

-- What an undo goes through.
-- name: bulk_operations
SELECT id FROM operation WHERE account_id = $1 AND bulk_id = $2 ORDER BY id DESC;

-- name: bulk_found
UPDATE bulk SET found = $3, total = cardinality(($3)::bigint[]), stepped_at = clock_timestamp()
 WHERE account_id = $1 AND id = $2 AND state = 'running' AND found IS NULL;

-- Its row is locked while a batch is carried out, so that no batch is carried out twice.
-- name: bulk_lock
SELECT found[$3 + 1 : $3 + $4]
  FROM bulk
 WHERE account_id = $1 AND id = $2 AND state = 'running' AND done = $3 AND is_marked = $5
   FOR UPDATE SKIP LOCKED;

-- Of these, what people did something else with since: that stands.
-- name: bulk_later
SELECT DISTINCT e.id::bigint
  FROM operation o, json_array_elements_text(o.arguments->'emailIds') AS e (id)
 WHERE o.account_id = $1 AND o.id > $2 AND o.bulk_id IS NULL AND o.state <> 'cancelled'
   AND CASE WHEN $4 THEN o.kind = 'keywords'
                         AND ((coalesce((o.arguments->>'set')::int, 0)
                               | coalesce((o.arguments->>'clear')::int, 0)) & $5 <> 0
                              OR (o.arguments->'add')::jsonb ?| $6
                              OR (o.arguments->'remove')::jsonb ?| $6)
            ELSE o.kind IN ('move', 'destroy') END
   AND e.id::bigint = ANY ($3);

-- name: bulk_own
UPDATE operation SET bulk_id = $2 WHERE account_id = $1 AND id = ANY ($3);

-- name: bulk_step
UPDATE bulk
   SET done = $3, is_marked = $4, changed = changed + $5, stepped_at = clock_timestamp(),
       state = CASE WHEN $3 >= total AND NOT $4 THEN 'done' ELSE state END,
       ended_at = CASE WHEN $3 >= total AND NOT $4 THEN clock_timestamp() END
 WHERE account_id = $1 AND id = $2;

-- name: bulk_fail
UPDATE bulk SET state = 'failed', error = $3, ended_at = now()
 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- name: bulk_cancel
UPDATE bulk SET state = 'cancelled', ended_at = now()
 WHERE account_id = $1 AND id = $2 AND state = 'running';
