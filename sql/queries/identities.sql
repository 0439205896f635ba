-- name: identity_list
SELECT id, name, email, reply_to, bcc, text_signature, html_signature, quoting,
       is_html
  FROM identity WHERE account_id = $1 ORDER BY id;

-- name: identity_by_id
SELECT id, name, email, reply_to, bcc, text_signature, html_signature, quoting,
       is_html
  FROM identity WHERE account_id = $1 AND id = $2;

-- name: identity_insert
INSERT INTO identity (account_id, id, name, email, reply_to, bcc, text_signature, html_signature,
                      quoting, is_html)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: identity_update
UPDATE identity
   SET name = $3, email = $4, reply_to = $5, bcc = $6, text_signature = $7, html_signature = $8,
       quoting = $9, is_html = $10
 WHERE account_id = $1 AND id = $2;

-- An account keeps its last one.
-- name: identity_delete
DELETE FROM identity
 WHERE account_id = $1 AND id = $2
   AND EXISTS (SELECT FROM identity WHERE account_id = $1 AND id <> $2);

-- name: send_delay
SELECT send_delay_s FROM "user" WHERE id = $1;

-- name: send_delay_set
UPDATE "user" SET send_delay_s = $2 WHERE id = $1 AND send_delay_s <> $2;
