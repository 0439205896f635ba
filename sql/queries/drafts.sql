-- Drafts and what they take along. The email row is for the lists; the draft row is the form.

-- name: draft_mailbox
SELECT id FROM mailbox
 WHERE account_id = $1 AND role = $2 AND is_selectable
 ORDER BY is_local, id
 LIMIT 1;

-- A folder kept only here, where upstream has none of that role (yet). The path is one that no
-- server lists.
-- name: draft_mailbox_make
INSERT INTO mailbox (account_id, id, name, path, wire_path, role, is_local)
VALUES ($1, $2, $3, '.local/' || $3, '', $4, true);

-- name: draft_adopt
WITH chosen AS (
    SELECT p.email_id
      FROM placement p
      JOIN draft d ON d.account_id = p.account_id AND d.email_id = p.email_id
     WHERE p.account_id = $1 AND p.mailbox_id = $2
     LIMIT $4)
UPDATE placement p
   SET mailbox_id = $3
  FROM chosen
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = chosen.email_id
RETURNING p.email_id, p.is_hidden;

-- name: draft_mailbox_remove
DELETE FROM mailbox m
 WHERE m.account_id = $1 AND m.id = $2
   AND NOT EXISTS (SELECT FROM placement p WHERE p.account_id = $1 AND p.mailbox_id = $2)
RETURNING m.id;

-- The thread of what is answered, if it is here.
-- name: draft_thread
SELECT thread_id FROM email WHERE account_id = $1 AND id = $2;

-- Only what is a draft may be written over.
-- name: draft_email_put
INSERT INTO email (account_id, id, thread_id, in_reply_to, "references", subject, from_json, to_json,
                   cc_json, bcc_json, received_at, sent_at, size_bytes, has_attachment, preview,
                   structure, is_text_settled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14, $15, true)
    ON CONFLICT (account_id, id) DO UPDATE
   SET subject = excluded.subject, from_json = excluded.from_json, to_json = excluded.to_json,
       cc_json = excluded.cc_json, bcc_json = excluded.bcc_json, received_at = excluded.received_at,
       sent_at = excluded.sent_at, size_bytes = excluded.size_bytes,
       has_attachment = excluded.has_attachment, preview = excluded.preview,
       structure = excluded.structure;

-- $5 is $seen and $draft.
-- name: draft_place
INSERT INTO placement (account_id, email_id, mailbox_id, received_at, flags, server_flags)
VALUES ($1, $2, $3, $4, $5, $5);

-- name: draft_place_moved
UPDATE placement SET received_at = $3 WHERE account_id = $1 AND email_id = $2;

-- name: draft_count
UPDATE mailbox SET total = total + $3 WHERE account_id = $1 AND id = $2;

-- name: draft_create
INSERT INTO draft (account_id, email_id, identity_id, to_text, cc_text, bcc_text, subject, body_text,
                   body_html, priority, wants_receipt, in_reply_to, "references", answers_id,
                   answers_how, wants_report, idempotency_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17);

-- name: draft_known
SELECT email_id FROM draft WHERE account_id = $1 AND idempotency_key = $2;

-- A revision of 0 writes over whatever is there. One that is being sent is not to be changed.
-- name: draft_update
UPDATE draft d
   SET identity_id = $3, to_text = $4, cc_text = $5, bcc_text = $6, subject = $7, body_text = $8,
       body_html = $9, priority = $10, wants_receipt = $11, wants_report = $13,
       revision = d.revision + 1,
       changed_at = now()
 WHERE d.account_id = $1 AND d.email_id = $2 AND ($12 = 0 OR d.revision = $12)
   AND NOT EXISTS (SELECT FROM submission s
                    WHERE s.account_id = $1 AND s.draft_id = $2
                      AND s.phase IN ('queued', 'transmitting', 'accepted'))
RETURNING d.revision;

-- name: draft_lock
SELECT revision FROM draft WHERE account_id = $1 AND email_id = $2 FOR UPDATE;

-- name: draft_by_id
SELECT d.email_id, d.revision, d.identity_id, d.to_text, d.cc_text, d.bcc_text, d.subject,
       d.body_text, d.body_html, d.in_reply_to, d."references", d.answers_id, d.answers_how,
       d.priority, d.wants_receipt, d.wants_report, d.changed_at, p.mailbox_id, p.is_hidden
  FROM draft d
  JOIN placement p ON p.account_id = d.account_id AND p.email_id = d.email_id
 WHERE d.account_id = $1 AND d.email_id = $2
 LIMIT 1;

-- name: draft_attachments
SELECT a.n, a.blob_id, a.name, a.type, a.cid, b.size_bytes
  FROM attachment a
  JOIN blob b ON b.account_id = a.account_id AND b.id = a.blob_id
 WHERE a.account_id = $1 AND a.email_id = $2
 ORDER BY a.n;

-- name: draft_attach
INSERT INTO attachment (account_id, email_id, n, blob_id, name, type, cid)
SELECT $1, $2, coalesce(max(n), 0) + 1, $3, $4, $5, $6
  FROM attachment WHERE account_id = $1 AND email_id = $2
RETURNING n;

-- name: draft_detach
DELETE FROM attachment WHERE account_id = $1 AND email_id = $2 AND n = $3;

-- name: draft_has_attachment
UPDATE email e
   SET has_attachment = EXISTS (SELECT FROM attachment a
                                 WHERE a.account_id = $1 AND a.email_id = $2 AND a.cid = '')
 WHERE e.account_id = $1 AND e.id = $2;

-- Shows or hides it in its folder; a row when that changed anything.
-- name: draft_hide
UPDATE placement SET is_hidden = $3
 WHERE account_id = $1 AND email_id = $2 AND is_hidden <> $3
RETURNING mailbox_id;

-- The recipients that were refused are what is left to write to.
-- name: draft_readdress
UPDATE draft SET to_text = $3, cc_text = '', bcc_text = '', revision = revision + 1,
                 changed_at = now()
 WHERE account_id = $1 AND email_id = $2;

-- Not while it is being sent, but for $3; with $4 not what lies upstream.
-- name: draft_delete
WITH gone AS (
    DELETE FROM email e
     WHERE e.account_id = $1 AND e.id = $2
       AND EXISTS (SELECT FROM draft d WHERE d.account_id = $1 AND d.email_id = $2)
       AND ($3 OR NOT EXISTS (SELECT FROM submission s
                               WHERE s.account_id = $1 AND s.draft_id = $2
                                 AND s.phase IN ('queued', 'transmitting', 'accepted')))
       AND NOT ($4 AND EXISTS (SELECT FROM placement u
                                WHERE u.account_id = $1 AND u.email_id = $2
                                  AND u.uid IS NOT NULL))
    RETURNING e.id)
SELECT p.mailbox_id, p.is_hidden
  FROM placement p, gone WHERE p.account_id = $1 AND p.email_id = gone.id;

-- Bytes that nobody refers to any more, a day after they came.
-- name: upload_sweep
DELETE FROM blob b
 WHERE b.email_id IS NULL AND b.created_at < now() - interval '1 day'
   AND NOT EXISTS (SELECT FROM attachment a WHERE a.account_id = b.account_id AND a.blob_id = b.id)
   AND NOT EXISTS (SELECT FROM transfer t WHERE t.account_id = b.account_id AND t.blob_id = b.id)
   AND NOT EXISTS (SELECT FROM submission s WHERE s.account_id = b.account_id AND s.blob_id = b.id);

-- Drafts that nobody has changed for $2 seconds and that are not upstream as they are now.
-- name: draft_unfiled
SELECT d.email_id, d.revision, p.mailbox_id, p.uid
  FROM draft d
  JOIN placement p ON p.account_id = d.account_id AND p.email_id = d.email_id
  JOIN mailbox m ON m.account_id = p.account_id AND m.id = p.mailbox_id
 WHERE d.account_id = $1 AND d.filed_revision <> d.revision
   AND d.changed_at < now() - ($2)::int * interval '1 second'
   AND NOT p.is_hidden AND NOT m.is_local
 ORDER BY d.changed_at
 LIMIT 1;

-- name: draft_filed
UPDATE draft SET filed_revision = $3 WHERE account_id = $1 AND email_id = $2;

-- name: draft_filed_uid
UPDATE placement SET uid = $4
 WHERE account_id = $1 AND email_id = $2 AND mailbox_id = $3;

-- name: draft_is_upstream
SELECT uid IS NOT NULL FROM placement WHERE account_id = $1 AND email_id = $2 LIMIT 1;

-- Sent, so hidden for good, and still upstream.
-- name: draft_sent
SELECT d.email_id, p.mailbox_id, p.uid
  FROM draft d
  JOIN placement p ON p.account_id = d.account_id AND p.email_id = d.email_id
 WHERE d.account_id = $1 AND p.is_hidden AND p.uid IS NOT NULL
   AND EXISTS (SELECT FROM submission s
                WHERE s.account_id = $1 AND s.draft_id = d.email_id
                  AND s.phase IN ('accepted', 'filed'))
   AND NOT EXISTS (SELECT FROM submission s
                    WHERE s.account_id = $1 AND s.draft_id = d.email_id
                      AND s.phase IN ('queued', 'transmitting'))
 LIMIT 1;
