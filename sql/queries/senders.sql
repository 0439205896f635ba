-- What a person decided about senders. Addresses are compared in lower case.

-- name: remote_choice
SELECT EXISTS (SELECT FROM remote_allowed WHERE user_id = $1 AND email = ''),
       $2 <> '' AND EXISTS (SELECT FROM remote_allowed WHERE user_id = $1 AND email = lower($2));

-- name: remote_allow
INSERT INTO remote_allowed (user_id, email) VALUES ($1, lower($2)) ON CONFLICT DO NOTHING;

-- name: remote_forbid
DELETE FROM remote_allowed WHERE user_id = $1 AND email = lower($2);
