-- Mail that is taken out and brought in as files.

-- === out =========================================================================================

-- A folder's messages, oldest first, strictly newer than the cursor, with the bytes that are here.
-- name: export_page
SELECT p.email_id, p.received_at, e.size_bytes, e.subject,
       coalesce(e.from_json -> 0 ->> 'email', ''),
       b.id, b.size_bytes, b.chunk_bytes, b.is_zstd
  FROM placement p
  JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
  LEFT JOIN blob b ON b.account_id = p.account_id AND b.email_id = p.email_id AND b.part = ''
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND NOT p.is_hidden
   AND (p.received_at, p.email_id) > ($3, $4)
 ORDER BY p.received_at, p.email_id
 LIMIT $5;

-- Messages of an account (or of one folder of it), how many of them are not here whole, and bytes.
-- name: export_totals
SELECT count(*), count(*) FILTER (WHERE NOT is_here), coalesce(sum(size_bytes), 0)::bigint
  FROM (SELECT e.size_bytes, EXISTS (SELECT FROM blob b
                WHERE b.account_id = e.account_id AND b.email_id = e.id AND b.part = '') AS is_here
          FROM email e
         WHERE e.account_id = $1
           AND EXISTS (SELECT FROM placement p
                        WHERE p.account_id = e.account_id AND p.email_id = e.id AND NOT p.is_hidden
                          AND ($2 = 0 OR p.mailbox_id = $2))) kept;

-- What is upstream and not here whole.
-- name: export_missing
SELECT e.id
  FROM email e
 WHERE e.account_id = $1 AND e.id > $2
   AND NOT EXISTS (SELECT FROM blob b
                    WHERE b.account_id = e.account_id AND b.email_id = e.id AND b.part = '')
   AND (EXISTS (SELECT FROM placement p
                 WHERE p.account_id = e.account_id AND p.email_id = e.id AND p.uid IS NOT NULL)
        OR EXISTS (SELECT FROM pop3_uidl u
                    WHERE u.account_id = e.account_id AND u.email_id = e.id AND u.state = 'partial'))
 ORDER BY e.id
 LIMIT $3;

-- === in ==========================================================================================

-- name: transfer_create
INSERT INTO transfer (account_id, id, kind, name, blob_id, mailbox_id, is_seen, size_bytes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: transfer_notify
SELECT pg_notify('restante', format('op %s', ($1)::bigint));

-- The columns of transfers_list and transfer_next too.
-- name: transfer_by_id
SELECT id, kind, state, name, blob_id, mailbox_id, is_seen, at_entry, at_position, at_unpacked,
       begun_uid, begun_uidvalidity, size_bytes, done, known, refused, others, attempts, error,
       created_at, ended_at
  FROM transfer
 WHERE account_id = $1 AND id = $2;

-- name: transfers_list
SELECT id, kind, state, name, blob_id, mailbox_id, is_seen, at_entry, at_position, at_unpacked,
       begun_uid, begun_uidvalidity, size_bytes, done, known, refused, others, attempts, error,
       created_at, ended_at
  FROM transfer
 WHERE account_id = $1
 ORDER BY id DESC
 LIMIT $2;

-- name: transfer_cancel
UPDATE transfer SET state = 'cancelled', ended_at = now(), blob_id = NULL
 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- === the sync role ===============================================================================

-- name: transfer_next
SELECT id, kind, state, name, blob_id, mailbox_id, is_seen, at_entry, at_position, at_unpacked,
       begun_uid, begun_uidvalidity, size_bytes, done, known, refused, others, attempts, error,
       created_at, ended_at
  FROM transfer
 WHERE account_id = $1 AND state = 'running' AND not_before <= now()
 ORDER BY id
 LIMIT 1;

-- name: transfer_next_due
SELECT min(not_before) FROM transfer WHERE account_id = $1 AND state = 'running';

-- A batch is about to be given to an IMAP server.
-- name: transfer_begin
UPDATE transfer SET begun_uid = $3, begun_uidvalidity = $4
 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- A batch is done; with an end perhaps. What has ended needs its file no more.
-- name: transfer_advance
UPDATE transfer
   SET at_entry = $3, at_position = $4, at_unpacked = $5, begun_uid = NULL, begun_uidvalidity = NULL,
       done = done + $6, known = known + $7, refused = refused + $8, others = others + $9,
       attempts = 0, error = $11, state = $10,
       ended_at = CASE WHEN $10 <> 'running' THEN now() END,
       blob_id = CASE WHEN $10 = 'running' THEN blob_id END
 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- Not now: the same batch again later.
-- name: transfer_wait
UPDATE transfer SET not_before = $3, attempts = attempts + 1, error = $4
 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- Which messages of a batch are here already, by Message-ID and size, and by their bytes where those
-- are here; in Trash and Junk they do not count. One without Message-ID is looked for where it would
-- go, by the time it would have there, and needs the same bytes.
-- What came up to the server with the very batch ($7: at or above that UID) is not known by that.
-- name: transfer_known
SELECT w.n
  FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
       WITH ORDINALITY AS w (key, size, hash, received, n)
 WHERE (w.key <> 0 AND EXISTS (
            SELECT FROM email e
              LEFT JOIN blob b ON b.account_id = e.account_id AND b.email_id = e.id AND b.part = ''
             WHERE e.account_id = $1 AND e.message_key = w.key AND e.message_key <> 0
               AND e.size_bytes = w.size
               AND (b.hash IS NULL OR encode(b.hash, 'hex') = w.hash)
               AND EXISTS (SELECT FROM placement p
                             JOIN mailbox m ON m.account_id = p.account_id AND m.id = p.mailbox_id
                            WHERE p.account_id = e.account_id AND p.email_id = e.id
                              AND NOT p.is_hidden
                              AND NOT ($7 > 0 AND p.mailbox_id = $6 AND coalesce(p.uid, 0) >= $7)
                              AND coalesce(m.role, '') NOT IN ('trash', 'junk'))))
    OR (w.key = 0 AND EXISTS (
            SELECT FROM placement p
              JOIN blob b ON b.account_id = p.account_id AND b.email_id = p.email_id AND b.part = ''
             WHERE p.account_id = $1 AND p.mailbox_id = $6 AND NOT p.is_hidden
               AND NOT ($7 > 0 AND coalesce(p.uid, 0) >= $7)
               AND p.received_at = timestamptz 'epoch' + w.received * interval '1 microsecond'
               AND b.size_bytes = w.size AND encode(b.hash, 'hex') = w.hash))
 ORDER BY w.n;

-- Those that ended are forgotten after a month.
-- name: transfer_sweep
DELETE FROM transfer WHERE ended_at < now() - interval '1 month';
