-- Of leases, and of what the sync role tells people about an account.
--
-- An account is held while its own lease_until or its owner's heartbeat lies ahead. Both are asked:
-- a row that another process has just taken is checked anew when its lock is got, but with the old
-- picture of sync_process; its new lease_until then says that it is held.

-- An account that works is always wanted by somebody, so that its connection can wait for news; one
-- that failed waits for its time, or for somebody who wants something of it.
-- name: lease_due
WITH due AS MATERIALIZED (
    SELECT a.id FROM account a
     WHERE NOT a.is_gone AND a.sync_state <> 'paused'
       AND (a.lease_until IS NULL OR a.lease_until <= now())
       AND NOT EXISTS (SELECT FROM sync_process p
                        WHERE p.name = a.lease_owner AND p.alive_until > now())
       AND (a.sync_state IN ('new', 'syncing', 'current') OR a.next_sync_at <= now()
            OR EXISTS (SELECT FROM operation o
                        WHERE o.account_id = a.id AND o.state = 'pending'
                          AND o.not_before <= now())
            OR EXISTS (SELECT FROM submission s
                        WHERE s.account_id = a.id AND s.phase IN ('queued', 'transmitting', 'accepted')
                          AND greatest(s.send_at, s.not_before) <= now()))
     ORDER BY a.next_sync_at LIMIT $3
       FOR NO KEY UPDATE OF a SKIP LOCKED)
UPDATE account a SET lease_owner = $1, lease_until = now() + $2 * interval '1 second'
  FROM due WHERE a.id = due.id
RETURNING a.id;

-- Of the accounts held, those that somebody wants something of: what the NOTIFYs said that were lost
-- with the connection.
-- name: lease_wanted
SELECT a.id FROM account a
 WHERE a.lease_owner = $1 AND NOT a.is_gone
   AND (a.next_sync_at <= now()
        OR EXISTS (SELECT FROM operation o
                    WHERE o.account_id = a.id AND o.state = 'pending' AND o.not_before <= now())
        OR EXISTS (SELECT FROM submission s
                    WHERE s.account_id = a.id AND s.phase IN ('queued', 'transmitting', 'accepted')
                      AND greatest(s.send_at, s.not_before) <= now()));

-- name: lease_take
UPDATE account a SET lease_owner = $2, lease_until = now() + $3 * interval '1 second'
 WHERE a.id = $1 AND NOT a.is_gone
   AND (a.lease_owner = $2
        OR ((a.lease_until IS NULL OR a.lease_until <= now())
            AND NOT EXISTS (SELECT FROM sync_process p
                             WHERE p.name = a.lease_owner AND p.alive_until > now())));

-- name: lease_renew
INSERT INTO sync_process (name, alive_until) VALUES ($1, now() + $2 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until;

-- name: lease_release
UPDATE account SET lease_owner = NULL, lease_until = NULL, next_sync_at = $3
 WHERE id = $1 AND lease_owner = $2;

-- name: lease_release_all
WITH ended AS (DELETE FROM sync_process WHERE name = $1)
UPDATE account SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = $1;

-- name: lease_next_due
SELECT min(least(a.next_sync_at, o.not_before))
  FROM account a
  LEFT JOIN LATERAL (SELECT min(not_before) AS not_before FROM operation
                      WHERE account_id = a.id AND state = 'pending') o ON true
 WHERE NOT a.is_gone AND a.sync_state <> 'paused'
   AND (a.lease_until IS NULL OR a.lease_until <= now())
   AND NOT EXISTS (SELECT FROM sync_process p
                    WHERE p.name = a.lease_owner AND p.alive_until > now());

-- name: account_work_load
SELECT secret, smtp_secret, lease_owner,
       id, user_id, name, email, kind, host, port, tls, username,
       smtp_host, smtp_port, smtp_tls, smtp_username, prefetch, prefetch_days, poll_seconds,
       pop3_policy, pop3_days, pop3_max_bytes, pop3_may_remove, coalesce(pop3_expire_days, -1),
       sync_state, sync_error, sync_hint, send_error, send_hint, sync_since,
       synced_at, next_sync_at, failures, sync_done, sync_total, modseq, created_at
  FROM account WHERE id = $1 AND NOT is_gone;

-- === status for people ===

-- name: account_set_state
UPDATE account
   SET sync_state = $2, sync_error = $3, sync_hint = $4,
       sync_since = CASE WHEN sync_state = $2 THEN sync_since ELSE now() END
 WHERE id = $1 AND (sync_state, sync_error, sync_hint) IS DISTINCT FROM ($2, $3, $4);

-- name: account_set_sending
UPDATE account SET send_error = $2, send_hint = $3
 WHERE id = $1 AND (send_error, send_hint) IS DISTINCT FROM ($2, $3);

-- name: account_set_progress
UPDATE account SET sync_done = $2, sync_total = $3
 WHERE id = $1 AND (sync_done, sync_total) IS DISTINCT FROM ($2, $3);

-- As long as it stays current nobody minds when the time is lost with the power: no wait for the disk.
-- name: account_set_synced
WITH old AS MATERIALIZED (SELECT id, sync_state FROM account WHERE id = $1 FOR NO KEY UPDATE),
quick AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true) FROM old WHERE sync_state = 'current'
)
UPDATE account a
   SET sync_state = 'current', sync_error = '', sync_hint = '', synced_at = now(), failures = 0,
       capabilities = coalesce($2, capabilities),
       sync_since = CASE WHEN old.sync_state = 'current' THEN sync_since ELSE now() END
  FROM old LEFT JOIN quick ON true WHERE a.id = old.id
RETURNING old.sync_state <> 'current';

-- After a pass: unless somebody asked for another one ($3: what it was when the pass began).
-- name: account_set_next_pass
UPDATE account SET next_sync_at = $2 WHERE id = $1 AND next_sync_at = $3;

-- name: account_set_expire
UPDATE account SET pop3_expire_days = $2 WHERE id = $1;

-- Not in a transaction, whose durability it would take.
-- name: account_set_next_sync
UPDATE account SET next_sync_at = $2
  FROM (SELECT set_config('synchronous_commit', 'off', true) AS is_synchronous) quick
 WHERE id = $1 AND quick.is_synchronous = 'off';

-- name: account_count_failure
UPDATE account SET failures = failures + 1 WHERE id = $1 RETURNING failures;

-- === accounts that were removed ===

-- Nobody else purges it meanwhile, and a late batch of a sync process waits or is waited for.
-- name: purge_pick
SELECT id FROM account WHERE is_gone AND (lease_until IS NULL OR lease_until <= now())
 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- They hold on to blobs.
-- name: purge_submissions
DELETE FROM submission WHERE account_id = $1;

-- With their placements, bodies and words.
-- name: purge_emails
WITH slice AS MATERIALIZED (SELECT id FROM email WHERE account_id = $1 ORDER BY id LIMIT $2)
DELETE FROM email e USING slice WHERE e.account_id = $1 AND e.id = slice.id;

-- name: purge_account
DELETE FROM account WHERE id = $1;
