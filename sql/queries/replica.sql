-- What the sync role writes: the server's state. Bulk comes by COPY or in arrays, never row by row.
-- Look-ups of many keys are a LATERAL per key: one look into the index each, whatever the planner
-- believes of tables that a moment ago were empty. (= ANY reads a whole mailbox when it thinks small.)
-- What has \Deleted upstream (bit 8) is hidden: its place is as good as empty (RFC 8621 section 4.1.1).
-- "Unread" is what has neither $seen nor $draft (RFC 8621 section 2); it is counted in C from the
-- flags before and after, which the statements return.

-- === mailboxes ===================================================================================

-- name: replica_mailboxes
SELECT id, parent_id, name, path, wire_path, delimiter, role, is_subscribed, is_selectable, is_local,
       is_pending, object_id, uidvalidity, uidnext, backfill_uid, highestmodseq, upstream_total, set_aside_until,
       total, unread, NULL::bigint
  FROM mailbox
 WHERE account_id = $1
 ORDER BY path COLLATE "C";

-- name: replica_mailboxes_counted
SELECT m.id, m.parent_id, m.name, m.path, m.wire_path, m.delimiter, m.role, m.is_subscribed,
       m.is_selectable, m.is_local, m.is_pending, m.object_id, m.uidvalidity, m.uidnext, m.backfill_uid,
       m.highestmodseq, m.upstream_total, m.set_aside_until, m.total, m.unread,
       (SELECT count(*) FROM placement p
         WHERE p.account_id = m.account_id AND p.mailbox_id = m.id AND p.uid IS NOT NULL)
  FROM mailbox m
 WHERE m.account_id = $1
 ORDER BY m.path COLLATE "C";

-- name: replica_mailbox_insert
INSERT INTO mailbox (account_id, id, parent_id, name, path, wire_path, delimiter, role,
                     is_subscribed, is_selectable, is_local, object_id, is_pending)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: replica_mailbox_update
UPDATE mailbox
   SET parent_id = $3, name = $4, path = $5, wire_path = $6, delimiter = $7, role = $8,
       is_subscribed = $9, is_selectable = $10, is_local = $11, object_id = $12,
       is_pending = $13
 WHERE account_id = $1 AND id = $2;

-- name: replica_mailbox_clear
DELETE FROM placement WHERE account_id = $1 AND mailbox_id = $2 RETURNING email_id;

-- name: replica_mailbox_orphan_children
UPDATE mailbox SET parent_id = NULL WHERE account_id = $1 AND parent_id = $2;

-- name: replica_mailbox_delete
DELETE FROM mailbox WHERE account_id = $1 AND id = $2;

-- name: replica_mailbox_cursor
UPDATE mailbox
   SET uidvalidity = $3, uidnext = $4, backfill_uid = $5, highestmodseq = $6, upstream_total = $7,
       set_aside_until = $8
 WHERE account_id = $1 AND id = $2;

-- In the order of ids, so that two batches never wait for each other.
-- name: replica_count
UPDATE mailbox m
   SET total = m.total + t.total, unread = m.unread + t.unread
  FROM (SELECT id, d.total, d.unread
          FROM mailbox
          JOIN unnest($2::bigint[], $3::int[], $4::int[]) AS d (mailbox_id, total, unread)
            ON mailbox.id = d.mailbox_id
         WHERE mailbox.account_id = $1
         ORDER BY mailbox.id
           FOR NO KEY UPDATE OF mailbox) t
 WHERE m.account_id = $1 AND m.id = t.id;

-- With the account's number, which this transaction has just counted (change_begin).
-- name: replica_mailbox_modseq
UPDATE mailbox SET modseq = (SELECT modseq FROM account WHERE id = $1)
 WHERE account_id = $1 AND id = ANY ($2);

-- === adding messages =============================================================================

-- On its own, before a batch. It need not reach the disk by itself: the batch that uses the ids comes
-- later in the log, so whatever survives of the batch survives of this.
-- name: replica_next_ids
UPDATE account
   SET next_id = next_id + $2
  FROM (SELECT set_config('synchronous_commit', 'off', true) AS is_synchronous) quick
 WHERE id = $1 AND quick.is_synchronous = 'off'
RETURNING next_id - $2;

-- name: replica_known_uids
SELECT k.uid, p.email_id
  FROM unnest($3::bigint[]) AS k (uid)
 CROSS JOIN LATERAL (SELECT email_id FROM placement
                      WHERE account_id = $1 AND mailbox_id = $2 AND uid = k.uid
                      LIMIT 1) p;

-- name: replica_known_upstream
SELECT k.upstream_id, e.id, p.email_id IS NOT NULL, p.uid
  FROM unnest($3::text[]) AS k (upstream_id)
 CROSS JOIN LATERAL (SELECT id FROM email
                      WHERE account_id = $1 AND upstream_id = k.upstream_id
                      LIMIT 1) e
  LEFT JOIN LATERAL (SELECT email_id, uid FROM placement
                      WHERE account_id = $1 AND email_id = e.id AND mailbox_id = $2
                      LIMIT 1) p ON true;

-- Placements of this mailbox without uid that a message may be: forgotten ones and those that a
-- pending move shows already. Those that people see choose first among messages that look alike.
-- name: replica_known_unplaced
SELECT k.message_key, e.size_bytes, e.received_at, e.id, p.server_flags & 8 <> 0 AS is_deleted
  FROM unnest($3::bigint[]) AS k (message_key)
 CROSS JOIN LATERAL (SELECT id, size_bytes, received_at FROM email
                      WHERE account_id = $1 AND message_key = k.message_key AND message_key <> 0
                     OFFSET 0) e
 CROSS JOIN LATERAL (SELECT server_flags FROM placement
                      WHERE account_id = $1 AND email_id = e.id AND mailbox_id = $2 AND uid IS NULL
                      LIMIT 1) p
 WHERE EXISTS (SELECT FROM placement u
                WHERE u.account_id = $1 AND u.mailbox_id = $2 AND u.uid IS NULL)
 ORDER BY is_deleted, e.id;

-- name: replica_known_threads
SELECT k.key, t.thread_id
  FROM unnest($2::bigint[]) AS k (key)
 CROSS JOIN LATERAL (SELECT thread_id FROM thread_key
                      WHERE account_id = $1 AND key = k.key
                      LIMIT 1) t;

-- name: replica_thread_keys_add
INSERT INTO thread_key (account_id, key, thread_id)
SELECT $1, key, thread_id FROM unnest($2::bigint[], $3::bigint[]) AS k (key, thread_id)
    ON CONFLICT (account_id, key) DO NOTHING;

-- name: replica_threads_merge_keys
UPDATE thread_key k
   SET thread_id = m.target
  FROM unnest($2::bigint[], $3::bigint[]) AS m (source, target)
 WHERE k.account_id = $1 AND k.thread_id = m.source;

-- name: replica_threads_merge
UPDATE email e
   SET thread_id = m.target
  FROM unnest($2::bigint[], $3::bigint[]) AS m (source, target)
 WHERE e.account_id = $1 AND e.thread_id = m.source
RETURNING e.id;

-- name: replica_copy_email
COPY email (account_id, id, thread_id, upstream_id, message_id, message_key, in_reply_to,
            "references", subject, from_json, sender_json, reply_to_json, to_json, cc_json, bcc_json,
            sent_at, received_at, size_bytes, has_attachment, preview, structure, header_json, blob_id,
            is_text_settled)
FROM STDIN (FORMAT binary);

-- name: replica_copy_placement
COPY placement (account_id, email_id, mailbox_id, uid, received_at, flags, server_flags, keywords,
                modseq, is_hidden)
FROM STDIN (FORMAT binary);

-- Further placements of emails that are here. A person's move may put a row there at this very
-- moment: then it gets the uid, and what people see of it is folded anew (the last column).
-- name: replica_place
INSERT INTO placement (account_id, email_id, mailbox_id, uid, received_at, flags, server_flags,
                       keywords, modseq, is_hidden)
SELECT $1, e.id, $2, nullif(t.uid, 0), e.received_at, t.flags, t.flags,
       string_to_array(nullif(t.keywords, ''), ' '), t.modseq, t.flags & 8 <> 0
  FROM unnest($3::bigint[], $4::bigint[], $5::int[], $6::text[], $7::bigint[])
       AS t (email_id, uid, flags, keywords, modseq)
  JOIN email e ON e.account_id = $1 AND e.id = t.email_id
 ORDER BY e.id
    ON CONFLICT (account_id, email_id, mailbox_id) DO UPDATE
   SET uid = coalesce(excluded.uid, placement.uid), server_flags = excluded.server_flags,
       keywords = shown_words(placement.account_id, placement.email_id, placement.mailbox_id,
                              excluded.keywords),
       modseq = excluded.modseq, is_forgotten = false
RETURNING email_id, flags, xmax = 0 AND NOT is_hidden, xmax <> 0;

-- A uid for rows that have none: met again, or a move arrived. Rows are locked first, so that the
-- flags before are those that the update finds. What was hidden because it had \Deleted is seen again
-- where the message met has not: it may be another copy, the deleted one being gone.
-- name: replica_uids_set
WITH told AS MATERIALIZED (
    SELECT * FROM unnest($3::bigint[], $4::bigint[], $5::int[], $6::text[], $7::bigint[])
        AS t (email_id, uid, flags, keywords, modseq)
), old AS MATERIALIZED (
    SELECT p.email_id, p.flags, p.is_hidden
      FROM placement p
     WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = ANY ($3)
     ORDER BY p.email_id
       FOR NO KEY UPDATE
)
UPDATE placement p
   SET uid = told.uid, is_forgotten = false, server_flags = told.flags,
       flags = (told.flags | p.pending_set) & ~p.pending_clear,
       keywords = shown_words(p.account_id, p.email_id, p.mailbox_id,
                              string_to_array(nullif(told.keywords, ''), ' ')),
       modseq = told.modseq,
       is_hidden = told.flags & 8 <> 0 OR (p.is_hidden AND p.server_flags & 8 = 0)
  FROM told
  JOIN old USING (email_id)
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = told.email_id
RETURNING p.email_id, old.flags, p.flags, old.is_hidden, p.is_hidden;

-- === flags =======================================================================================

-- Only rows that differ are locked and written, in the order in which everybody locks placements: by
-- email, then mailbox; UIDs go another way. A modseq of 0 was not told and changes nothing.
-- name: replica_flags_set
WITH told AS MATERIALIZED (
    SELECT t.uid, t.flags, string_to_array(nullif(t.keywords, ''), ' ') AS keywords, t.modseq
      FROM unnest($3::bigint[], $4::int[], $5::text[], $6::bigint[])
        AS t (uid, flags, keywords, modseq)
), differs AS MATERIALIZED (
    SELECT f.email_id, told.uid
      FROM told
     CROSS JOIN LATERAL (
           SELECT p.email_id
             FROM placement p
            WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.uid = told.uid
              AND (p.server_flags <> told.flags OR p.keywords IS DISTINCT FROM told.keywords
                   OR (told.modseq <> 0 AND p.modseq <> told.modseq))
            LIMIT 1) f
     ORDER BY f.email_id
), old AS MATERIALIZED (
    SELECT f.email_id, f.flags, f.keywords, f.is_hidden, differs.uid
      FROM differs
     CROSS JOIN LATERAL (
           SELECT p.email_id, p.flags, p.keywords, p.is_hidden
             FROM placement p
            WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = differs.email_id
              AND p.uid = differs.uid
              FOR NO KEY UPDATE) f
)
UPDATE placement p
   SET server_flags = told.flags, flags = (told.flags | p.pending_set) & ~p.pending_clear,
       keywords = CASE WHEN p.keywords IS DISTINCT FROM told.keywords
                       THEN shown_words(p.account_id, p.email_id, p.mailbox_id, told.keywords)
                       ELSE told.keywords END,
       modseq = CASE told.modseq WHEN 0 THEN p.modseq ELSE told.modseq END,
       is_hidden = told.flags & 8 <> 0 OR (p.is_hidden AND p.server_flags & 8 = 0)
  FROM old
  JOIN told USING (uid)
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = old.email_id
RETURNING p.email_id, old.flags, p.flags, old.is_hidden, p.is_hidden,
       old.keywords IS DISTINCT FROM p.keywords;

-- === removing ====================================================================================

-- name: replica_expunge
WITH locked AS MATERIALIZED (
    SELECT email_id FROM placement
     WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY ($3)
     ORDER BY email_id
       FOR UPDATE)
DELETE FROM placement
 WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY ($3)
   AND email_id IN (SELECT email_id FROM locked)
RETURNING email_id, flags, is_hidden;

-- name: replica_uids_forget
WITH locked AS MATERIALIZED (
    SELECT email_id FROM placement
     WHERE account_id = $1 AND mailbox_id = $2 AND uid IS NOT NULL
     ORDER BY email_id
       FOR NO KEY UPDATE)
UPDATE placement
   SET uid = NULL, modseq = 0, is_forgotten = true
 WHERE account_id = $1 AND mailbox_id = $2 AND uid IS NOT NULL
   AND email_id IN (SELECT email_id FROM locked);

-- name: replica_uids_settle
WITH locked AS MATERIALIZED (
    SELECT email_id FROM placement
     WHERE account_id = $1 AND mailbox_id = $2 AND uid IS NULL AND is_forgotten
     ORDER BY email_id
       FOR UPDATE)
DELETE FROM placement
 WHERE account_id = $1 AND mailbox_id = $2 AND uid IS NULL AND is_forgotten
   AND email_id IN (SELECT email_id FROM locked)
RETURNING email_id, flags, is_hidden;

-- Waits for a person's move that refers to one of them right now; the next statement then sees it.
-- name: replica_emails_lock
SELECT id FROM email WHERE account_id = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE;

-- name: replica_emails_orphaned
DELETE FROM email e
 WHERE e.account_id = $1 AND e.id = ANY ($2)
   AND NOT EXISTS (SELECT FROM placement p WHERE p.account_id = $1 AND p.email_id = e.id)
RETURNING e.id, e.thread_id;

-- name: replica_threads_emptied
SELECT t.id
  FROM unnest($2::bigint[]) AS t (id)
 WHERE NOT EXISTS (SELECT FROM email e WHERE e.account_id = $1 AND e.thread_id = t.id);

-- name: replica_thread_keys_drop
DELETE FROM thread_key WHERE account_id = $1 AND thread_id = ANY ($2);

-- === one email ===================================================================================

-- name: replica_email_parsed
UPDATE email
   SET structure = coalesce($3, structure), header_json = coalesce($4, header_json),
       preview = coalesce($5, preview), has_attachment = $6
 WHERE account_id = $1 AND id = $2;

-- name: replica_email_blob
UPDATE email SET blob_id = $3, is_text_settled = true WHERE account_id = $1 AND id = $2;

-- name: replica_email_quarantine
UPDATE email SET state = 1, is_text_settled = true WHERE account_id = $1 AND id = $2;

-- name: replica_text_settled
UPDATE email SET is_text_settled = true
 WHERE account_id = $1 AND id = ANY ($2) AND NOT is_text_settled;

-- Called as tables grow out of what is known of them, until autovacuum takes over.
-- name: replica_analyze
ANALYZE placement, email, search, thread_key, blob, blob_chunk;

-- === looking =====================================================================================

-- name: replica_uids
SELECT uid, server_flags, keywords, modseq
  FROM placement
 WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $3 AND $4
 ORDER BY uid;

-- name: replica_placement_count
SELECT count(*) FROM placement WHERE account_id = $1 AND mailbox_id = $2 AND uid IS NOT NULL;

-- name: replica_place_of
SELECT p.mailbox_id, m.wire_path, m.uidvalidity, p.uid, e.structure
  FROM placement p
  JOIN mailbox m ON m.account_id = p.account_id AND m.id = p.mailbox_id
  JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
 WHERE p.account_id = $1 AND p.email_id = $2 AND p.uid IS NOT NULL
 ORDER BY m.set_aside_until NULLS FIRST, p.is_hidden, p.mailbox_id
 LIMIT 1;

-- What the foreign keys of new messages name stays until the end of the transaction (store.h, is_bulk).
-- name: replica_hold_mailbox
SELECT 1
  FROM account a
  JOIN mailbox m ON m.account_id = a.id
 WHERE a.id = $1 AND m.id = $2
   FOR KEY SHARE;

-- name: replica_hold_emails
SELECT id FROM email WHERE account_id = $1 AND id = ANY ($2) ORDER BY id FOR KEY SHARE;

-- name: replica_wanting_text
SELECT p.email_id, p.uid, e.size_bytes, e.structure
  FROM placement p
  JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
  LEFT JOIN LATERAL (SELECT b.id FROM blob b
                      WHERE b.account_id = $1 AND b.email_id = e.id
                      ORDER BY b.part LIMIT 1) b ON true -- by the index of emails, however few there are
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND NOT p.is_hidden AND p.received_at > $3
   AND p.uid IS NOT NULL AND NOT e.is_text_settled AND b.id IS NULL
 ORDER BY p.received_at DESC, p.email_id DESC
 LIMIT $4;

-- name: replica_wanting_whole
SELECT p.email_id, p.uid, e.size_bytes, p.received_at
  FROM placement p
  JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND NOT p.is_hidden AND p.uid IS NOT NULL
   AND (p.received_at, p.email_id) < ($3, $4)
   AND e.blob_id IS NULL AND e.state = 0 AND e.size_bytes <= $5
 ORDER BY p.received_at DESC, p.email_id DESC
 LIMIT $6;

-- name: replica_wholes_put
UPDATE email e
   SET blob_id = t.blob_id,
       structure = coalesce(nullif(t.structure, '')::json, e.structure),
       header_json = coalesce(nullif(t.header, '')::json, e.header_json),
       preview = coalesce(nullif(t.preview, ''), e.preview),
       has_attachment = CASE WHEN t.structure = '' THEN e.has_attachment ELSE t.attachment <> 0 END,
       state = t.state,
       is_text_settled = t.settled <> 0
  FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::int[], $8::int[],
              $9::int[]) AS t (email_id, blob_id, structure, header, preview, attachment, state, settled)
 WHERE e.account_id = $1 AND e.id = t.email_id;
