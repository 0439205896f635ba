-- Of upstream accounts and trials. The viewer ($2 or as said; 0: whoever) is named beside row-level
-- security.

-- name: account_allocate_id
SELECT nextval('account_id_seq');

-- name: account_create
INSERT INTO account (id, user_id, name, email, kind, host, port, tls, username, secret,
                     smtp_host, smtp_port, smtp_tls, smtp_username, smtp_secret,
                     prefetch, prefetch_days, poll_seconds, pop3_policy, pop3_days, pop3_max_bytes,
                     pop3_may_remove, next_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22, $23)
ON CONFLICT DO NOTHING;

-- name: account_create_identity
INSERT INTO identity (account_id, id, name, email) VALUES ($1, $2, $3, $4);

-- The folders of a POP3 account are here and nowhere else: complete from the start.
-- name: account_create_mailboxes
INSERT INTO mailbox (account_id, id, name, path, wire_path, role, is_local, backfill_uid)
SELECT $1, id, name, name, convert_to(name, 'UTF8'), role, true, 1
  FROM unnest($2, $3, $4) AS local (id, name, role);

-- name: account_notify
SELECT pg_notify('restante', format('op %s', ($1)::bigint));

-- The columns of the next two and of account_work_load are read by one function.
-- name: account_list
SELECT id, user_id, name, email, kind, host, port, tls, username,
       smtp_host, smtp_port, smtp_tls, smtp_username, prefetch, prefetch_days, poll_seconds,
       pop3_policy, pop3_days, pop3_max_bytes, pop3_may_remove, coalesce(pop3_expire_days, -1),
       sync_state, sync_error, sync_hint, send_error, send_hint, sync_since,
       synced_at, next_sync_at, failures, sync_done, sync_total, modseq, created_at
  FROM account
 WHERE NOT is_gone AND ($1 = 0 OR user_id = $1)
 ORDER BY created_at, id;

-- name: account_by_id
SELECT id, user_id, name, email, kind, host, port, tls, username,
       smtp_host, smtp_port, smtp_tls, smtp_username, prefetch, prefetch_days, poll_seconds,
       pop3_policy, pop3_days, pop3_max_bytes, pop3_may_remove, coalesce(pop3_expire_days, -1),
       sync_state, sync_error, sync_hint, send_error, send_hint, sync_since,
       synced_at, next_sync_at, failures, sync_done, sync_total, modseq, created_at
  FROM account
 WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2);

-- What is to happen on a POP3 server happens at once, not with the next look. The sync role hears of
-- it in any case: another policy may want other bodies.
-- name: account_update_policy
WITH updated AS (
    UPDATE account
       SET name = $3, prefetch = $4, prefetch_days = $5, poll_seconds = $6, pop3_policy = $7,
           pop3_days = $8, pop3_max_bytes = $9, pop3_may_remove = $10,
           next_sync_at = CASE WHEN (pop3_policy, pop3_days, pop3_max_bytes, pop3_may_remove)
                                    = ($7, $8, $9, $10)
                               THEN next_sync_at ELSE now() END
     WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2) RETURNING id)
SELECT updated.id FROM updated, LATERAL pg_notify('restante', format('op %s', updated.id));

-- New settings deserve a new chance at once. A NULL secret stays as it is; an empty one of SMTP
-- means the incoming one.
-- name: account_update_servers
UPDATE account
   SET email = $3, host = $4, port = $5, tls = $6, username = $7, secret = coalesce($8, secret),
       smtp_host = $9, smtp_port = $10, smtp_tls = $11, smtp_username = $12,
       smtp_secret = CASE WHEN $13 IS NULL THEN smtp_secret ELSE nullif($13, ''::bytea) END,
       sync_state = CASE WHEN synced_at IS NULL THEN 'new' ELSE 'syncing' END,
       sync_error = '', sync_hint = '', sync_since = now(), next_sync_at = now(), failures = 0,
       send_error = '', send_hint = ''
 WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2);

-- And so does what waits to be sent.
-- name: account_retry_sending
UPDATE submission SET not_before = now()
 WHERE account_id = $1 AND phase = 'queued' AND waits_for_server;

-- Out of sight at once, the secrets wiped. Whoever has the lease may end its slice: until then
-- account_purge leaves the account alone.
-- name: account_delete
UPDATE account
   SET removed_at = now(), secret = '', smtp_secret = NULL, lease_owner = NULL,
       lease_until = now() + interval '1 minute'
 WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2);

-- name: account_sync_now
WITH asked AS (
    UPDATE account SET next_sync_at = now()
     WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2) RETURNING id)
SELECT asked.id FROM asked, LATERAL pg_notify('restante', format('op %s', asked.id));

-- === trials ===

-- name: trial_create
WITH made AS (
    INSERT INTO trial (id, kind, user_id, account_id, settings, secret)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING id)
SELECT made.id FROM made, LATERAL pg_notify('restante', 'trial ' || made.id);

-- The sealed secret comes back once the settings were found to work, for saving them.
-- name: trial_by_id
SELECT id, kind, user_id, account_id, settings,
       CASE WHEN state = 'done' THEN secret END AS secret, state = 'done' AS is_done,
       result
  FROM trial WHERE id = $1 AND coalesce(user_id, 0) = $2;

-- name: trial_delete
DELETE FROM trial WHERE id = $1;

-- name: trial_take
WITH next AS MATERIALIZED (
    SELECT id FROM trial WHERE state = 'pending'
     ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE trial t SET state = 'running', taken_at = now() FROM next WHERE t.id = next.id
RETURNING t.id, t.kind, t.user_id, t.account_id, t.settings, t.secret, false AS is_done, t.result;

-- name: trial_finish
WITH tried AS (
    UPDATE trial SET state = 'done', result = $2,
           secret = CASE WHEN kind = 'account' AND $2::jsonb->'ok' = 'true' THEN secret END
     WHERE id = $1 AND state = 'running' RETURNING id)
SELECT tried.id FROM tried, LATERAL pg_notify('restante', 'tried ' || tried.id);
