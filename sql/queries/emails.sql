-- Messages as people see them. A page is one range of the index placement_list, each row joined to
-- its email by primary key.

-- Newest first, strictly older than the cursor.
-- name: emails_page
SELECT e.id, e.thread_id, e.message_id, e.in_reply_to, e."references", e.subject, e.from_json,
       e.sender_json, e.reply_to_json, e.to_json, e.cc_json, e.bcc_json, e.sent_at, p.received_at,
       e.size_bytes, e.has_attachment, e.preview, p.flags, p.keywords, e.state
  FROM placement p
  JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND NOT p.is_hidden
   AND (p.received_at, p.email_id) < ($3, $4)
 ORDER BY p.received_at DESC, p.email_id DESC
 LIMIT $5;

-- Oldest first, strictly newer than the cursor.
-- name: emails_page_newer
SELECT e.id, e.thread_id, e.message_id, e.in_reply_to, e."references", e.subject, e.from_json,
       e.sender_json, e.reply_to_json, e.to_json, e.cc_json, e.bcc_json, e.sent_at, p.received_at,
       e.size_bytes, e.has_attachment, e.preview, p.flags, p.keywords, e.state
  FROM placement p
  JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND NOT p.is_hidden
   AND (p.received_at, p.email_id) > ($3, $4)
 ORDER BY p.received_at, p.email_id
 LIMIT $5;

-- The same by conversation: of each the newest message that lies in the mailbox, and beside it what
-- is true of the conversation (its newest hundred): how many messages wherever they lie; unread, flags
-- and attachments of those that lie here; their ids; who wrote, oldest first. Most have a single
-- message and cost one look into an index more than in the plain list: the rest is asked of others
-- only (OFFSET 0 keeps that question before the work).
-- name: threads_page
SELECT r.id, r.thread_id, r.message_id, r.in_reply_to, r."references", r.subject, r.from_json,
       r.sender_json, r.reply_to_json, r.to_json, r.cc_json, r.bcc_json, r.sent_at, r.received_at,
       r.size_bytes, r.has_attachment, r.preview, r.flags, r.keywords, r.state,
       coalesce(t.total, 0), coalesce(t.is_unread, r.flags & 1 = 0), coalesce(t.flags, r.flags),
       coalesce(t.has_attachment, r.has_attachment), t.ids, t.people
  FROM (
       SELECT e.id, e.thread_id, e.message_id, e.in_reply_to, e."references", e.subject, e.from_json,
              e.sender_json, e.reply_to_json, e.to_json, e.cc_json, e.bcc_json, e.sent_at,
              p.received_at, e.size_bytes, e.has_attachment, e.preview, p.flags, p.keywords, e.state,
              c.is_alone
         FROM placement p
         JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
        CROSS JOIN LATERAL (
              SELECT count(*) = 1 AS is_alone
                FROM (SELECT FROM email s
                       WHERE s.account_id = $1 AND s.thread_id = e.thread_id
                       LIMIT 2) s) c
        WHERE p.account_id = $1 AND p.mailbox_id = $2 AND NOT p.is_hidden
          AND (p.received_at, p.email_id) < ($3, $4)
          AND (c.is_alone OR
               e.id = (SELECT n.id
                         FROM email n
                        WHERE n.account_id = $1 AND n.thread_id = e.thread_id
                          AND EXISTS (SELECT FROM placement q
                                       WHERE q.account_id = $1 AND q.email_id = n.id
                                         AND q.mailbox_id = $2 AND NOT q.is_hidden)
                        ORDER BY n.received_at DESC, n.id DESC
                        LIMIT 1))
        ORDER BY p.received_at DESC, p.email_id DESC
        LIMIT $5) r
  LEFT JOIN LATERAL (
       SELECT s.*
         FROM (
              SELECT count(*) AS total, bool_or(v.is_unread) AS is_unread, bit_or(v.flags) AS flags,
                     bool_or(n.has_attachment AND v.is_here) AS has_attachment,
                     string_agg(n.id::text, '-') FILTER (WHERE v.is_here) AS ids,
                     json_agg(n.from_json -> 0 ORDER BY n.received_at, n.id) AS people
                FROM (SELECT m.id, m.received_at, m.from_json, m.has_attachment
                        FROM email m
                       WHERE m.account_id = $1 AND m.thread_id = r.thread_id
                       ORDER BY m.received_at DESC, m.id DESC
                       LIMIT 100) n
               CROSS JOIN LATERAL (
                     SELECT bool_or(q.mailbox_id = $2) AS is_here,
                            bool_or(q.mailbox_id = $2 AND q.flags & 1 = 0) AS is_unread,
                            bit_or(CASE WHEN q.mailbox_id = $2 THEN q.flags ELSE 0 END) AS flags
                       FROM placement q
                      WHERE q.account_id = $1 AND q.email_id = n.id AND NOT q.is_hidden) v
               WHERE v.is_here IS NOT NULL) s
        WHERE NOT r.is_alone
       OFFSET 0) t ON true
 ORDER BY r.received_at DESC, r.id DESC;

-- name: threads_page_newer
SELECT r.id, r.thread_id, r.message_id, r.in_reply_to, r."references", r.subject, r.from_json,
       r.sender_json, r.reply_to_json, r.to_json, r.cc_json, r.bcc_json, r.sent_at, r.received_at,
       r.size_bytes, r.has_attachment, r.preview, r.flags, r.keywords, r.state,
       coalesce(t.total, 0), coalesce(t.is_unread, r.flags & 1 = 0), coalesce(t.flags, r.flags),
       coalesce(t.has_attachment, r.has_attachment), t.ids, t.people
  FROM (
       SELECT e.id, e.thread_id, e.message_id, e.in_reply_to, e."references", e.subject, e.from_json,
              e.sender_json, e.reply_to_json, e.to_json, e.cc_json, e.bcc_json, e.sent_at,
              p.received_at, e.size_bytes, e.has_attachment, e.preview, p.flags, p.keywords, e.state,
              c.is_alone
         FROM placement p
         JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
        CROSS JOIN LATERAL (
              SELECT count(*) = 1 AS is_alone
                FROM (SELECT FROM email s
                       WHERE s.account_id = $1 AND s.thread_id = e.thread_id
                       LIMIT 2) s) c
        WHERE p.account_id = $1 AND p.mailbox_id = $2 AND NOT p.is_hidden
          AND (p.received_at, p.email_id) > ($3, $4)
          AND (c.is_alone OR
               e.id = (SELECT n.id
                         FROM email n
                        WHERE n.account_id = $1 AND n.thread_id = e.thread_id
                          AND EXISTS (SELECT FROM placement q
                                       WHERE q.account_id = $1 AND q.email_id = n.id
                                         AND q.mailbox_id = $2 AND NOT q.is_hidden)
                        ORDER BY n.received_at DESC, n.id DESC
                        LIMIT 1))
        ORDER BY p.received_at, p.email_id
        LIMIT $5) r
  LEFT JOIN LATERAL (
       SELECT s.*
         FROM (
              SELECT count(*) AS total, bool_or(v.is_unread) AS is_unread, bit_or(v.flags) AS flags,
                     bool_or(n.has_attachment AND v.is_here) AS has_attachment,
                     string_agg(n.id::text, '-') FILTER (WHERE v.is_here) AS ids,
                     json_agg(n.from_json -> 0 ORDER BY n.received_at, n.id) AS people
                FROM (SELECT m.id, m.received_at, m.from_json, m.has_attachment
                        FROM email m
                       WHERE m.account_id = $1 AND m.thread_id = r.thread_id
                       ORDER BY m.received_at DESC, m.id DESC
                       LIMIT 100) n
               CROSS JOIN LATERAL (
                     SELECT bool_or(q.mailbox_id = $2) AS is_here,
                            bool_or(q.mailbox_id = $2 AND q.flags & 1 = 0) AS is_unread,
                            bit_or(CASE WHEN q.mailbox_id = $2 THEN q.flags ELSE 0 END) AS flags
                       FROM placement q
                      WHERE q.account_id = $1 AND q.email_id = n.id AND NOT q.is_hidden) v
               WHERE v.is_here IS NOT NULL) s
        WHERE NOT r.is_alone
       OFFSET 0) t ON true
 ORDER BY r.received_at, r.id;

-- Seen (bit 1) only if it is seen everywhere; any other flag if it is set anywhere. An email that
-- is hidden everywhere is gone for people.
-- name: email_by_id
SELECT e.id, e.thread_id, e.message_id, e.in_reply_to, e."references", e.subject, e.from_json,
       e.sender_json, e.reply_to_json, e.to_json, e.cc_json, e.bcc_json, e.sent_at, e.received_at,
       e.size_bytes, e.has_attachment, e.preview, v.flags, v.keywords, e.state,
       e.structure, e.header_json, e.blob_id
  FROM email e
 CROSS JOIN LATERAL (
       SELECT count(*) AS visible, (bit_or(p.flags) & ~1) | (bit_and(p.flags) & 1) AS flags,
              (SELECT array_agg(DISTINCT word)
                 FROM placement k, unnest(k.keywords) word
                WHERE k.account_id = e.account_id AND k.email_id = e.id AND NOT k.is_hidden) AS keywords
         FROM placement p
        WHERE p.account_id = e.account_id AND p.email_id = e.id AND NOT p.is_hidden) v
 WHERE e.account_id = $1 AND e.id = $2 AND v.visible > 0;

-- name: emails_by_ids
SELECT e.id, e.thread_id, e.message_id, e.in_reply_to, e."references", e.subject, e.from_json,
       e.sender_json, e.reply_to_json, e.to_json, e.cc_json, e.bcc_json, e.sent_at, e.received_at,
       e.size_bytes, e.has_attachment, e.preview, v.flags, v.keywords, e.state, v.mailbox_id
  FROM unnest($2::bigint[]) WITH ORDINALITY AS k (id, n)
 CROSS JOIN LATERAL (SELECT * FROM email WHERE account_id = $1 AND id = k.id OFFSET 0) e
 CROSS JOIN LATERAL (
       SELECT min(p.mailbox_id) AS mailbox_id,
              (bit_or(p.flags) & ~1) | (bit_and(p.flags) & 1) AS flags,
              (SELECT array_agg(DISTINCT word)
                 FROM placement w, unnest(w.keywords) word
                WHERE w.account_id = $1 AND w.email_id = k.id AND NOT w.is_hidden) AS keywords
         FROM placement p
        WHERE p.account_id = $1 AND p.email_id = k.id AND NOT p.is_hidden) v
 WHERE v.mailbox_id IS NOT NULL
 ORDER BY k.n;

-- name: placements_of
SELECT email_id, mailbox_id, flags, keywords, uid IS NOT NULL
  FROM placement
 WHERE account_id = $1 AND email_id = ANY ($2) AND NOT is_hidden
 ORDER BY email_id, mailbox_id;

-- name: email_neighbours
SELECT (SELECT n.email_id FROM placement n
         WHERE n.account_id = $1 AND n.mailbox_id = $2 AND NOT n.is_hidden
           AND (n.received_at, n.email_id) > (p.received_at, p.email_id)
         ORDER BY n.received_at, n.email_id
         LIMIT 1),
       (SELECT o.email_id FROM placement o
         WHERE o.account_id = $1 AND o.mailbox_id = $2 AND NOT o.is_hidden
           AND (o.received_at, o.email_id) < (p.received_at, p.email_id)
         ORDER BY o.received_at DESC, o.email_id DESC
         LIMIT 1)
  FROM placement p
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = $3;

-- name: thread_emails
SELECT e.id
  FROM email e
 WHERE e.account_id = $1 AND e.thread_id = $2
   AND EXISTS (SELECT FROM placement p
                WHERE p.account_id = e.account_id AND p.email_id = e.id AND NOT p.is_hidden)
 ORDER BY e.received_at, e.id;
