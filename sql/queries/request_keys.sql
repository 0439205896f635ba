-- Requests that are carried out once (server/store/request_keys.h).

-- What the sweep has not come to yet.
-- name: request_key_expire
DELETE FROM request_key
 WHERE user_id = $1 AND key_hash = $2 AND begun_at < now() - interval '1 day';

-- A new one, or the same request again whose answer nobody is working at any more. No row: known.
-- name: request_key_take
INSERT INTO request_key AS k (user_id, key_hash, fingerprint, held_until)
VALUES ($1, $2, $3, now() + $4 * interval '1 second')
    ON CONFLICT (user_id, key_hash) DO UPDATE SET held_until = excluded.held_until
 WHERE k.status IS NULL AND k.held_until <= now() AND k.fingerprint = excluded.fingerprint
RETURNING k.id, k.made_id;

-- name: request_key_find
SELECT fingerprint = $3, coalesce(status, 0), body IS NOT NULL, media_type, location, body
  FROM request_key WHERE user_id = $1 AND key_hash = $2;

-- name: request_key_answer
UPDATE request_key SET status = $4, media_type = $5, location = $6, body = $7
 WHERE user_id = $1 AND key_hash = $2 AND id = $3;

-- name: request_key_made
UPDATE request_key SET made_id = $4 WHERE user_id = $1 AND key_hash = $2 AND id = $3;

-- name: request_key_let_go
UPDATE request_key SET held_until = now() WHERE user_id = $1 AND key_hash = $2 AND id = $3;

-- name: request_key_forget
DELETE FROM request_key WHERE user_id = $1 AND key_hash = $2 AND id = $3;

-- name: sweep_request_keys
DELETE FROM request_key WHERE begun_at < now() - interval '1 day';
