-- Finding messages by their words and by what is known of them. The words of a message are a tsvector
-- made by mail/words.c; the tsquery is made by store/search_condition.c. Whatever narrows a search from
-- the top of its tree is asked for here; what stands deeper is decided in C, row by row.

-- === writing =====================================================================================

-- name: search_copy
COPY search (account_id, email_id, words, received_at) FROM STDIN (FORMAT binary);

-- name: search_put
INSERT INTO search (account_id, email_id, words, received_at)
SELECT account_id, id, $3, received_at FROM email WHERE account_id = $1 AND id = $2
    ON CONFLICT (account_id, email_id) DO UPDATE SET words = excluded.words;

-- The words of a text that came later, unless a text of that message was here before.
-- name: search_append
UPDATE search s
   SET words = s.words || $3::tsvector
  FROM email e
 WHERE s.account_id = $1 AND s.email_id = $2
   AND e.account_id = $1 AND e.id = $2 AND NOT e.is_text_settled;

-- Sorts the words that wait before the index into it. Nobody waits for that: neither who writes
-- meanwhile nor who searches.
-- name: search_tidy
SELECT gin_clean_pending_list('search_words');

-- === finding =====================================================================================

-- name: search_hits
SELECT email_id, received_at FROM search_hits($1::bigint, $2::text::tsquery, $3::bigint);

-- Which of these are seen by people and are as wanted. The last column has a bit for each of the
-- queries in $11 that the words meet.
-- name: search_rows
SELECT s.email_id, s.received_at, e.size_bytes, e.has_attachment, v.flags, v.keywords, v.mailboxes,
       (SELECT bit_or(1::bigint << (q.n - 1)::int)
          FROM unnest($11::text[]) WITH ORDINALITY AS q (query, n)
         WHERE ts_match_vq(s.words, q.query::tsquery))
  FROM unnest($2::bigint[]) WITH ORDINALITY AS k (id, n)
 CROSS JOIN LATERAL (SELECT * FROM search
                      WHERE account_id = $1 AND email_id = k.id
                     OFFSET 0) s
 CROSS JOIN LATERAL (SELECT size_bytes, has_attachment FROM email
                      WHERE account_id = $1 AND id = k.id
                     OFFSET 0) e
 CROSS JOIN LATERAL (
       SELECT count(*) AS visible, (bit_or(p.flags) & ~1) | (bit_and(p.flags) & 1) AS flags,
              array_agg(p.mailbox_id) AS mailboxes,
              (SELECT array_agg(DISTINCT word)
                 FROM placement w, unnest(w.keywords) word
                WHERE w.account_id = $1 AND w.email_id = k.id AND NOT w.is_hidden) AS keywords
         FROM placement p
        WHERE p.account_id = $1 AND p.email_id = k.id AND NOT p.is_hidden) v
 WHERE v.visible > 0
   AND s.received_at >= $3 AND s.received_at < $4
   AND e.size_bytes > $5 AND e.size_bytes < $6
   AND ($7 = 0 OR e.has_attachment = ($7 > 0))
   AND v.flags & $8 = $8 AND v.flags & $9 = 0
   AND ($10::bigint = 0 OR $10 = ANY (v.mailboxes))
 ORDER BY k.n;

-- Back in time from the cursor ($4, $2): words that many messages have are met soon, and searches
-- without words have no other way. At most $14 are looked at (NULL: all).
-- name: search_walk
SELECT s.email_id, s.received_at, e.size_bytes, e.has_attachment, v.flags, v.keywords, v.mailboxes,
       (SELECT bit_or(1::bigint << (q.n - 1)::int)
          FROM unnest($11::text[]) WITH ORDINALITY AS q (query, n)
         WHERE ts_match_vq(s.words, q.query::tsquery))
  FROM (SELECT email_id, received_at, words
          FROM search
         WHERE account_id = $1 AND received_at >= $3 AND (received_at, email_id) < ($4, $2)
         ORDER BY received_at DESC, email_id DESC
         LIMIT $14) s
 CROSS JOIN LATERAL (SELECT size_bytes, has_attachment FROM email
                      WHERE account_id = $1 AND id = s.email_id
                     OFFSET 0) e
 CROSS JOIN LATERAL (
       SELECT count(*) AS visible, (bit_or(p.flags) & ~1) | (bit_and(p.flags) & 1) AS flags,
              array_agg(p.mailbox_id) AS mailboxes,
              (SELECT array_agg(DISTINCT word)
                 FROM placement w, unnest(w.keywords) word
                WHERE w.account_id = $1 AND w.email_id = s.email_id AND NOT w.is_hidden) AS keywords
         FROM placement p
        WHERE p.account_id = $1 AND p.email_id = s.email_id AND NOT p.is_hidden) v
 WHERE ($12::text = '' OR ts_match_vq(s.words, (SELECT nullif($12::text, '')::tsquery)))
   AND v.visible > 0
   AND e.size_bytes > $5 AND e.size_bytes < $6
   AND ($7 = 0 OR e.has_attachment = ($7 > 0))
   AND v.flags & $8 = $8 AND v.flags & $9 = 0
   AND ($10::bigint = 0 OR $10 = ANY (v.mailboxes))
 ORDER BY s.received_at DESC, s.email_id DESC
 LIMIT $13;

-- The same within one mailbox.
-- name: search_walk_mailbox
SELECT p.email_id, p.received_at, e.size_bytes, e.has_attachment, p.flags, p.keywords,
       (SELECT array_agg(m.mailbox_id) FROM placement m
         WHERE m.account_id = $1 AND m.email_id = p.email_id AND NOT m.is_hidden),
       (SELECT bit_or(1::bigint << (q.n - 1)::int)
          FROM unnest($11::text[]) WITH ORDINALITY AS q (query, n)
         WHERE ts_match_vq(s.words, q.query::tsquery))
  FROM (SELECT email_id, mailbox_id, received_at, flags, keywords
          FROM placement
         WHERE account_id = $1 AND mailbox_id = $10 AND NOT is_hidden
           AND received_at >= $3 AND (received_at, email_id) < ($4, $2)
         ORDER BY received_at DESC, email_id DESC
         LIMIT $14) p
 CROSS JOIN LATERAL (SELECT words FROM search
                      WHERE account_id = $1 AND email_id = p.email_id
                     OFFSET 0) s
 CROSS JOIN LATERAL (SELECT size_bytes, has_attachment FROM email
                      WHERE account_id = $1 AND id = p.email_id
                     OFFSET 0) e
 WHERE p.flags & $8 = $8 AND p.flags & $9 = 0
   AND ($12::text = '' OR ts_match_vq(s.words, (SELECT nullif($12::text, '')::tsquery)))
   AND e.size_bytes > $5 AND e.size_bytes < $6
   AND ($7 = 0 OR e.has_attachment = ($7 > 0))
 ORDER BY p.received_at DESC, p.email_id DESC
 LIMIT $13;

-- How well the words stand in each: words of subject and names count most, close ones more.
-- name: search_rank
SELECT s.email_id, (1e6 * ts_rank_cd('{0.1, 0.2, 0.6, 1.0}', s.words, q.query, 1))::bigint
  FROM (SELECT $3::text::tsquery AS query) q, unnest($2::bigint[]) AS k (id)
 CROSS JOIN LATERAL (SELECT email_id, words FROM search
                      WHERE account_id = $1 AND email_id = k.id
                     OFFSET 0) s;

-- name: search_of_uids
SELECT p.email_id, p.received_at
  FROM unnest($3::bigint[]) AS k (uid)
 CROSS JOIN LATERAL (SELECT email_id, received_at FROM placement
                      WHERE account_id = $1 AND mailbox_id = $2 AND uid = k.uid
                      LIMIT 1) p;

-- === saved searches ==============================================================================

-- name: saved_search_list
SELECT id, name, query FROM saved_search WHERE user_id = $1 ORDER BY name, id;

-- Another one of that name is replaced.
-- name: saved_search_put
INSERT INTO saved_search (user_id, name, query) VALUES ($1, $2, $3)
    ON CONFLICT (user_id, name) DO UPDATE SET query = excluded.query
RETURNING id;

-- name: saved_search_delete
DELETE FROM saved_search WHERE user_id = $1 AND id = $2;
