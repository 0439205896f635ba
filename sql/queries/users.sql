-- Of people, their sessions and tokens, and the rate limits of signing in. These tables are read
-- before anyone is known: no row-level security, so each statement names whom it means.

-- === people ===

-- name: user_create
INSERT INTO "user" (login, password_hash, is_mail_login) VALUES ($1, $2, $3)
ON CONFLICT (login) DO NOTHING RETURNING id;

-- name: user_by_login
SELECT id, login, password_hash, is_admin, is_mail_login, created_at FROM "user" WHERE login = $1;

-- name: user_by_id
SELECT id, login, password_hash, is_admin, is_mail_login, created_at FROM "user" WHERE id = $1;

-- name: user_list
SELECT id, login, password_hash, is_admin, is_mail_login, created_at FROM "user" ORDER BY login;

-- name: user_set_admin
UPDATE "user" SET is_admin = $2 WHERE id = $1;

-- name: user_set_password
UPDATE "user" SET password_hash = $2 WHERE id = $1;

-- name: user_set_lists
UPDATE "user" SET lists_conversations = $2 WHERE id = $1;

-- The accounts lose their owner and are gone for everybody by that; store_sweep purges them.
-- name: user_delete
DELETE FROM "user" WHERE id = $1;

-- === sessions ===

-- name: session_create
INSERT INTO session (token_hash, user_id, csrf, expires_at, remote, agent)
VALUES ($1, $2, $3, now() + $4 * interval '1 second', $5, $6);

-- On every request of a browser. The use is noted at most once a minute, so that most requests
-- write nothing and none waits for the disk twice.
-- name: session_use
WITH known AS (
    SELECT s.token_hash, s.user_id, u.login, u.is_admin, s.csrf, s.created_at, s.used_at,
           s.expires_at, s.remote, s.agent, u.lists_conversations
      FROM session s JOIN "user" u ON u.id = s.user_id
     WHERE s.token_hash = $1 AND s.expires_at > now()
       AND s.used_at > now() - $2 * interval '1 second'),
noted AS (
    UPDATE session SET used_at = now()
     WHERE token_hash = $1 AND used_at < now() - interval '1 minute' AND EXISTS (SELECT FROM known))
SELECT * FROM known;

-- name: session_list
SELECT s.token_hash, s.user_id, u.login, u.is_admin, s.csrf, s.created_at, s.used_at,
       s.expires_at, s.remote, s.agent, u.lists_conversations
  FROM session s JOIN "user" u ON u.id = s.user_id
 WHERE s.user_id = $1 AND s.expires_at > now()
 ORDER BY s.used_at DESC, s.created_at DESC;

-- name: session_delete
DELETE FROM session WHERE token_hash = $1;

-- name: session_delete_all
DELETE FROM session WHERE user_id = $1;

-- === tokens ===

-- name: token_create
INSERT INTO token (token_hash, user_id, name, scopes, expires_at) VALUES ($1, $2, $3, $4, $5)
RETURNING id;

-- As session_use.
-- name: token_use
WITH known AS (
    SELECT t.id, t.user_id, u.login, u.is_admin, t.name, t.scopes, t.created_at, t.used_at,
           t.expires_at
      FROM token t JOIN "user" u ON u.id = t.user_id
     WHERE t.token_hash = $1 AND (t.expires_at IS NULL OR t.expires_at > now())),
noted AS (
    UPDATE token SET used_at = now()
     WHERE token_hash = $1 AND (used_at IS NULL OR used_at < now() - interval '1 minute')
       AND EXISTS (SELECT FROM known))
SELECT * FROM known;

-- name: token_list
SELECT t.id, t.user_id, u.login, u.is_admin, t.name, t.scopes, t.created_at, t.used_at,
       t.expires_at
  FROM token t JOIN "user" u ON u.id = t.user_id
 WHERE t.user_id = $1 ORDER BY t.id;

-- name: token_revoke
DELETE FROM token WHERE user_id = $1 AND id = $2;

-- === rate limits ===

-- The cap keeps a flood from overflowing the number.
-- name: rate_hit
INSERT INTO rate AS r (bucket, hits, window_end) VALUES ($1, 1, now() + $2 * interval '1 second')
ON CONFLICT (bucket) DO UPDATE
   SET hits = CASE WHEN r.window_end > now() THEN least(r.hits, 1000000) + 1 ELSE 1 END,
       window_end = CASE WHEN r.window_end > now() THEN r.window_end ELSE excluded.window_end END
RETURNING hits, greatest(1, ceil(extract(epoch FROM window_end - now())))::int;

-- name: rate_forgive
UPDATE rate SET hits = greatest(hits - 1, 0) WHERE bucket = $1;

-- name: rate_clear
DELETE FROM rate WHERE bucket = $1;

-- === what is past its end ===

-- name: sweep_sessions
DELETE FROM session WHERE expires_at < now();

-- name: sweep_tokens
DELETE FROM token WHERE expires_at < now();

-- name: sweep_rates
DELETE FROM rate WHERE window_end < now();

-- Whoever asked has gone long since. One that was never finished, or whose person has not decided, may
-- still hold a sealed secret.
-- name: sweep_trials
DELETE FROM trial
 WHERE created_at < now() - interval '1 hour'
    OR (state <> 'done' AND created_at < now() - interval '10 minutes')
    OR (secret IS NOT NULL AND created_at < now() - interval '30 minutes');

-- name: sweep_operations
DELETE FROM operation
 WHERE created_at < now() - interval '7 days' AND finished_at < now() - interval '7 days';

-- Always a whole beginning of an account's log, so that "older than what is kept" is one comparison.
-- name: sweep_changes
DELETE FROM change c
 USING (SELECT account_id, max(modseq) AS modseq FROM change
         WHERE at < now() - interval '30 days' GROUP BY account_id) old
 WHERE c.account_id = old.account_id AND c.modseq <= old.modseq;

-- name: sweep_processes
DELETE FROM sync_process WHERE alive_until < now() - interval '1 day';
