-- What people do with their messages (server/store/actions.h), and the overlay.

-- === acting ======================================================================================

-- Two requests with the same key follow each other.
-- name: action_key_lock
SELECT pg_advisory_xact_lock(hashtextextended(format('%s %s', ($1)::bigint, ($2)::text), 0));

-- An action on several mailboxes has an operation for each: key, key/1, key/2…
-- name: action_known
SELECT id FROM operation
 WHERE account_id = $1 AND (idempotency_key = $2 OR starts_with(idempotency_key, $3))
 ORDER BY id;

-- name: action_mailboxes
SELECT m.id, m.role, m.is_selectable AND NOT m.is_doomed, m.is_local
  FROM mailbox m
  JOIN account a ON a.id = m.account_id
 WHERE m.account_id = $1 AND NOT a.is_gone AND ($2 = 0 OR a.user_id = $2)
 ORDER BY m.id;

-- The placements that an action concerns, locked in the order in which everybody locks them; with all
-- others of the same emails, as one of those may be where they go to.
-- name: action_pick_emails
WITH p AS MATERIALIZED (
    SELECT email_id, mailbox_id, uid, flags, keywords, is_forgotten, is_hidden
      FROM placement
     WHERE account_id = $1 AND email_id = ANY ($2)
     ORDER BY email_id, mailbox_id
       FOR NO KEY UPDATE)
SELECT p.email_id, p.mailbox_id, p.uid IS NOT NULL, p.flags, p.keywords,
       p.is_forgotten OR EXISTS (
           SELECT FROM operation_item i
            WHERE i.account_id = $1 AND i.email_id = p.email_id AND i.mailbox_id = p.mailbox_id)
  FROM p
 WHERE NOT p.is_hidden AND ($3 = 0 OR p.mailbox_id = $3)
 ORDER BY p.email_id, p.mailbox_id;

-- name: action_pick_thread
WITH p AS MATERIALIZED (
    SELECT p.email_id, p.mailbox_id, p.uid, p.flags, p.keywords, p.is_forgotten, p.is_hidden
      FROM placement p
      JOIN email e ON e.account_id = p.account_id AND e.id = p.email_id
     WHERE p.account_id = $1 AND e.thread_id = $2
     ORDER BY p.email_id, p.mailbox_id
       FOR NO KEY UPDATE OF p)
SELECT p.email_id, p.mailbox_id, p.uid IS NOT NULL, p.flags, p.keywords,
       p.is_forgotten OR EXISTS (
           SELECT FROM operation_item i
            WHERE i.account_id = $1 AND i.email_id = p.email_id AND i.mailbox_id = p.mailbox_id)
  FROM p
 WHERE NOT p.is_hidden AND ($3 = 0 OR p.mailbox_id = $3)
 ORDER BY p.email_id, p.mailbox_id;

-- name: action_pick_mailbox
SELECT p.email_id, p.mailbox_id, p.uid IS NOT NULL, p.flags, p.keywords,
       p.is_forgotten OR EXISTS (
           SELECT FROM operation_item i
            WHERE i.account_id = $1 AND i.email_id = p.email_id AND i.mailbox_id = p.mailbox_id)
  FROM placement p
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND NOT p.is_hidden
 ORDER BY p.email_id
 LIMIT $3
   FOR NO KEY UPDATE;

-- Which of them lie in a mailbox already, to be seen there.
-- name: action_present
SELECT email_id FROM placement
 WHERE account_id = $1 AND mailbox_id = $2 AND email_id = ANY ($3) AND NOT is_hidden;

-- Flags that people see; in local mailboxes they are the mailbox's own.
-- name: action_flags
UPDATE placement p
   SET flags = (p.flags | $4) & ~($5)::int,
       server_flags = CASE WHEN $6 THEN (p.server_flags | $4) & ~($5)::int ELSE p.server_flags END,
       pending_set = CASE WHEN $6 THEN 0 ELSE (p.pending_set | $4) & ~($5)::int END,
       pending_clear = CASE WHEN $6 THEN 0 ELSE (p.pending_clear | $5) & ~($4)::int END
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = ANY ($3);

-- Keywords that are no bits: seen at once, until the server tells its own. Their letters' case does not
-- matter, and stays as it is where they are already.
-- name: action_words
UPDATE placement p
   SET keywords = nullif(ARRAY(SELECT DISTINCT ON (lower(word)) word
                                 FROM (SELECT word, 1 AS place FROM unnest(p.keywords) word
                                        WHERE lower(word) <> ALL (ARRAY(SELECT lower(unnest($5::text[]))))
                                       UNION ALL
                                       SELECT word, 2 FROM unnest($4::text[]) word) w
                                ORDER BY lower(word), place), '{}')
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = ANY ($3);

-- name: action_hide
UPDATE placement SET is_hidden = true
 WHERE account_id = $1 AND mailbox_id = $2 AND email_id = ANY ($3);

-- Where they come to: a row without uid, or one that was hidden. Its flags are those it had where it
-- comes from. Told are only those that begin to be seen: what came there meanwhile is counted by who
-- brought it.
-- name: action_show
INSERT INTO placement (account_id, email_id, mailbox_id, received_at, flags, server_flags, keywords)
SELECT $1, p.email_id, $3, p.received_at, p.flags, p.flags, p.keywords
  FROM placement p
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = ANY ($4)
 ORDER BY p.email_id
    ON CONFLICT (account_id, email_id, mailbox_id) DO UPDATE SET is_hidden = false
 WHERE placement.is_hidden
RETURNING flags;

-- name: action_remove
DELETE FROM placement WHERE account_id = $1 AND mailbox_id = $2 AND email_id = ANY ($3);

-- An operation as by operation_enqueue, of a key that nobody else can take now (action_key_lock), and
-- what it lays over each of the emails $6: in the mailboxes $7 the effects $8, with the flags $9 and $10.
-- name: action_enqueue
WITH next AS (
    UPDATE account SET next_id = next_id + 1
     WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2) RETURNING next_id - 1 AS id),
added AS (
    INSERT INTO operation (account_id, id, kind, arguments, idempotency_key)
    SELECT $1, next.id, $3, $4, $5 FROM next
    RETURNING id),
items AS (
    INSERT INTO operation_item (account_id, operation_id, email_id, mailbox_id, effect, set_flags,
                                clear_flags)
    SELECT $1, added.id, t.email_id, p.mailbox_id, p.effect, $9, $10
      FROM added, unnest($7::bigint[], $8::int[]) AS p (mailbox_id, effect),
           unnest($6::bigint[]) AS t (email_id))
SELECT added.id FROM added, LATERAL pg_notify('restante', format('op %s', ($1)::bigint));

-- What was done here and now (local mailboxes), for undo.
-- name: action_record
WITH next AS (
    UPDATE account SET next_id = next_id + 1
     WHERE id = $1 AND NOT is_gone AND ($2 = 0 OR user_id = $2) RETURNING next_id - 1 AS id)
INSERT INTO operation (account_id, id, kind, arguments, state, idempotency_key, finished_at)
SELECT $1, next.id, $3, $4, 'done', $5, now() FROM next
RETURNING id;

-- === taking back =================================================================================

-- name: action_cancel
UPDATE operation SET state = 'cancelled', finished_at = now()
 WHERE account_id = $1 AND id = $2 AND state = 'pending' AND attempts = 0 AND journal IS NULL
RETURNING id;

-- A folder that the mail server has not heard of yet, with all that was asked of it; not if messages
-- have to do with it. No row: the server knows it, or is just told.
-- name: action_cancel_folder
WITH unheard AS MATERIALIZED (
    SELECT id FROM operation
     WHERE account_id = $1 AND kind = 'mailbox-create' AND state = 'pending' AND attempts = 0
       AND journal IS NULL AND (arguments->>'mailboxId')::bigint = $2
       FOR UPDATE)
UPDATE operation o SET state = 'cancelled', finished_at = now()
 WHERE o.account_id = $1 AND o.state = 'pending' AND starts_with(o.kind, 'mailbox-')
   AND (o.arguments->>'mailboxId')::bigint = $2
   AND EXISTS (SELECT FROM unheard)
   AND NOT EXISTS (SELECT FROM operation_item i WHERE i.account_id = $1 AND i.mailbox_id = $2)
   AND NOT EXISTS (SELECT FROM placement p WHERE p.account_id = $1 AND p.mailbox_id = $2)
RETURNING o.id;

-- name: action_of_operation
SELECT kind, state, coalesce((arguments->>'mailboxId')::bigint, 0),
       coalesce((arguments->>'toId')::bigint, 0), coalesce((arguments->>'thereId')::bigint, 0),
       coalesce((arguments->>'set')::int, 0), coalesce((arguments->>'clear')::int, 0),
       ARRAY(SELECT json_array_elements_text(arguments->'emailIds')::bigint),
       ARRAY(SELECT json_array_elements_text(arguments->'add')),
       ARRAY(SELECT json_array_elements_text(arguments->'remove'))
  FROM operation
 WHERE account_id = $1 AND id = $2
   AND kind IN ('keywords', 'move', 'copy', 'destroy');

-- === the overlay =================================================================================

-- Before anything is written of what an operation concerns: in the order in which everybody locks.
-- name: overlay_lock_operation
SELECT FROM placement p
  JOIN operation_item i ON i.account_id = p.account_id AND i.email_id = p.email_id
                       AND i.mailbox_id = p.mailbox_id
 WHERE p.account_id = $1 AND i.operation_id = $2
 ORDER BY p.email_id, p.mailbox_id
   FOR NO KEY UPDATE OF p;

-- Keywords that are no bits have nothing below them to come up again: of an operation that does not
-- happen, but for what is done ($3), they are taken back, as far as no later one decides them. With $4
-- only in that mailbox.
-- name: overlay_words_back
WITH back AS (
    SELECT i.email_id, i.mailbox_id,
           ARRAY(SELECT lower(json_array_elements_text(o.arguments->'add'))
                 EXCEPT SELECT unnest(later.words)) AS added,
           ARRAY(SELECT word FROM json_array_elements_text(o.arguments->'remove') word
                  WHERE lower(word) <> ALL (later.words)) AS removed
      FROM operation o
      JOIN operation_item i ON i.account_id = o.account_id AND i.operation_id = o.id AND i.effect = 0
     CROSS JOIN LATERAL (
           SELECT ARRAY(SELECT lower(json_array_elements_text(l.arguments->side))
                          FROM operation_item j
                          JOIN operation l ON l.account_id = j.account_id AND l.id = j.operation_id
                         CROSS JOIN unnest('{add,remove}'::text[]) side
                         WHERE j.account_id = $1 AND j.email_id = i.email_id
                           AND j.mailbox_id = i.mailbox_id AND j.operation_id > $2) AS words) later
     WHERE o.account_id = $1 AND o.id = $2 AND o.kind = 'keywords' AND i.email_id <> ALL ($3)
       AND ($4 = 0 OR i.mailbox_id = $4)
       AND coalesce(json_array_length(o.arguments->'add'), 0)
           + coalesce(json_array_length(o.arguments->'remove'), 0) > 0)
UPDATE placement p
   SET keywords = nullif(ARRAY(SELECT DISTINCT ON (lower(word)) word
                                 FROM (SELECT word, 1 AS place FROM unnest(p.keywords) word
                                        WHERE lower(word) <> ALL (back.added)
                                       UNION ALL
                                       SELECT word, 2 FROM unnest(back.removed) word) w
                                ORDER BY lower(word), place), '{}')
  FROM back
 WHERE p.account_id = $1 AND p.email_id = back.email_id AND p.mailbox_id = back.mailbox_id
RETURNING p.email_id;

-- With $3: only what concerns the emails that it takes from there.
-- name: overlay_items_end
DELETE FROM operation_item
 WHERE account_id = $1 AND operation_id = $2
   AND ($3 = 0 OR email_id IN (SELECT email_id FROM operation_item
                                WHERE account_id = $1 AND operation_id = $2 AND mailbox_id = $3
                                  AND effect <> 2))
RETURNING email_id, mailbox_id, effect;

-- Rows that only a pending operation showed, and none does any more.
-- name: overlay_unshow
DELETE FROM placement p
 USING unnest($2::bigint[], $3::bigint[]) AS t (email_id, mailbox_id)
 WHERE p.account_id = $1 AND p.email_id = t.email_id AND p.mailbox_id = t.mailbox_id
   AND p.uid IS NULL AND NOT p.is_forgotten
   AND NOT EXISTS (SELECT FROM operation_item i
                    WHERE i.account_id = $1 AND i.email_id = p.email_id
                      AND i.mailbox_id = p.mailbox_id AND i.effect = 2)
RETURNING p.email_id, p.mailbox_id, p.flags, p.is_hidden;

-- name: overlay_lock
SELECT p.email_id, p.mailbox_id, p.flags, p.server_flags, p.is_hidden
  FROM placement p
  JOIN unnest($2::bigint[], $3::bigint[]) AS t (email_id, mailbox_id)
    ON p.email_id = t.email_id AND p.mailbox_id = t.mailbox_id
 WHERE p.account_id = $1
 ORDER BY p.email_id, p.mailbox_id
   FOR NO KEY UPDATE OF p;

-- name: overlay_items
SELECT i.email_id, i.mailbox_id, i.effect, i.set_flags, i.clear_flags
  FROM operation_item i
  JOIN unnest($2::bigint[], $3::bigint[]) AS t (email_id, mailbox_id)
    ON i.email_id = t.email_id AND i.mailbox_id = t.mailbox_id
 WHERE i.account_id = $1
 ORDER BY i.email_id, i.mailbox_id, i.operation_id;

-- name: overlay_set
UPDATE placement p
   SET pending_set = t.pending_set, pending_clear = t.pending_clear, is_hidden = t.is_hidden,
       flags = (p.server_flags | t.pending_set) & ~t.pending_clear
  FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::int[], $6::int[])
       AS u (email_id, mailbox_id, pending_set, pending_clear, hidden)
 CROSS JOIN LATERAL (SELECT u.email_id, u.mailbox_id, u.pending_set, u.pending_clear,
                            u.hidden <> 0 AS is_hidden) t
 WHERE p.account_id = $1 AND p.email_id = t.email_id AND p.mailbox_id = t.mailbox_id;

-- === carrying out ================================================================================

-- What a move brings to a mailbox from where a later operation takes it away goes there from where it
-- lies: the later one has it as its own from now on, with the marks made in between, and what comes
-- back to where it lies need not leave. The later one has begun by that, as its journal says. Not
-- over a copy, which finds it where this one brings it, nor past the end of a folder.
-- name: replay_pass_on
WITH moved AS (
    SELECT l.email_id, l.mailbox_id AS from_id, c.mailbox_id AS to_id, heir.operation_id AS heir_id
      FROM operation_item l
      JOIN operation_item c ON c.account_id = l.account_id AND c.operation_id = l.operation_id
                           AND c.email_id = l.email_id AND c.effect = 2
     CROSS JOIN LATERAL (
           SELECT i.operation_id FROM operation_item i
            WHERE i.account_id = $1 AND i.email_id = l.email_id AND i.mailbox_id = c.mailbox_id
              AND i.operation_id > $2 AND i.effect = 1
            ORDER BY i.operation_id LIMIT 1) heir
     WHERE l.account_id = $1 AND l.operation_id = $2 AND l.effect = 1
       AND NOT EXISTS (SELECT FROM operation o
                        WHERE o.account_id = $1 AND o.id > $2 AND o.id < heir.operation_id
                          AND o.state = 'pending' AND o.kind IN ('copy', 'mailbox-delete'))),
heirs AS (
    UPDATE operation o SET journal = '{"passedOn": true}'
      FROM (SELECT DISTINCT heir_id FROM moved) m
     WHERE o.account_id = $1 AND o.id = m.heir_id AND o.state = 'pending'
    RETURNING o.id),
passed AS (SELECT moved.* FROM moved JOIN heirs ON heirs.id = moved.heir_id),
returned AS (
    DELETE FROM operation_item i USING passed p
     WHERE i.account_id = $1 AND i.operation_id = p.heir_id AND i.email_id = p.email_id
       AND EXISTS (SELECT FROM operation_item b
                    WHERE b.account_id = $1 AND b.operation_id = p.heir_id
                      AND b.email_id = p.email_id AND b.mailbox_id = p.from_id)
    RETURNING i.operation_id, i.email_id),
inherited AS (
    UPDATE operation_item i SET mailbox_id = p.from_id FROM passed p
     WHERE i.account_id = $1 AND i.email_id = p.email_id AND i.mailbox_id = p.to_id
       AND i.operation_id > $2 AND i.operation_id <= p.heir_id AND i.effect <> 2
       AND NOT EXISTS (SELECT FROM operation_item b
                        WHERE b.account_id = $1 AND b.operation_id = i.operation_id
                          AND b.email_id = p.email_id AND b.mailbox_id = p.from_id)),
ended AS (
    DELETE FROM operation_item i USING passed p
     WHERE i.account_id = $1 AND i.operation_id = $2 AND i.email_id = p.email_id)
SELECT email_id, from_id, to_id FROM passed;

-- Of an operation that is refused: what others passed on to it, but for what is done ($3), with where
-- it lies and where they were to bring it.
-- name: replay_strays
SELECT i.mailbox_id, m.id, i.email_id
  FROM operation o
  JOIN operation_item i ON i.account_id = o.account_id AND i.operation_id = o.id AND i.effect = 1
  JOIN mailbox m ON m.account_id = o.account_id AND m.id = (o.arguments->>'mailboxId')::bigint
 WHERE o.account_id = $1 AND o.id = $2 AND o.kind IN ('move', 'destroy')
   AND i.mailbox_id <> m.id AND NOT m.is_doomed AND i.email_id <> ALL ($3)
 ORDER BY i.mailbox_id, i.email_id;

-- Marks that a later operation decides are left to it (replay_items): that one has begun by this, and
-- whoever takes it back has the opposite done.
-- name: replay_leave_to_later
UPDATE operation o SET journal = '{"passedOn": true}'
 WHERE o.account_id = $1 AND o.id > $2 AND o.state = 'pending' AND o.kind = 'keywords'
   AND o.journal IS NULL
   AND EXISTS (SELECT FROM operation_item i
                 JOIN operation_item later ON later.account_id = i.account_id
                                          AND later.email_id = i.email_id
                                          AND later.mailbox_id = i.mailbox_id
                WHERE i.account_id = $1 AND i.operation_id = $2 AND later.operation_id = o.id);

-- Where what it concerns lies: in one mailbox, but for what moves passed on to it.
-- name: replay_sources
SELECT DISTINCT mailbox_id FROM operation_item
 WHERE account_id = $1 AND operation_id = $2 AND effect <> 2
 ORDER BY mailbox_id;

-- What an operation concerns, with where it lies now. Flags and words that a later operation decides
-- anyway are left out: opposite ones meet here and never go over the wire.
-- name: replay_items
SELECT i.email_id, p.uid, coalesce(t.uid, 0), i.set_flags & ~l.later, i.clear_flags & ~l.later,
       l.words, e.message_id, e.size_bytes
  FROM operation_item i
  JOIN email e ON e.account_id = i.account_id AND e.id = i.email_id
  LEFT JOIN placement p ON p.account_id = i.account_id AND p.email_id = i.email_id
                       AND p.mailbox_id = $3
  LEFT JOIN placement t ON t.account_id = i.account_id AND t.email_id = i.email_id
                       AND t.mailbox_id = $4
 CROSS JOIN LATERAL (
       SELECT coalesce(bit_or(later.set_flags | later.clear_flags), 0) AS later,
              string_agg(w.word, ' ' ORDER BY w.word) AS words
         FROM operation_item later
         LEFT JOIN LATERAL (
              SELECT json_array_elements_text(o.arguments->'add') AS word
                FROM operation o WHERE o.account_id = $1 AND o.id = later.operation_id
               UNION ALL
              SELECT json_array_elements_text(o.arguments->'remove')
                FROM operation o WHERE o.account_id = $1 AND o.id = later.operation_id) w ON true
        WHERE later.account_id = i.account_id AND later.email_id = i.email_id
          AND later.mailbox_id = i.mailbox_id AND later.operation_id > i.operation_id) l
 WHERE i.account_id = $1 AND i.operation_id = $2
   AND i.mailbox_id = CASE WHEN $5 THEN $4 ELSE $3 END
 ORDER BY p.uid;

-- name: replay_flags
UPDATE placement SET server_flags = (server_flags | $4) & ~($5)::int
 WHERE account_id = $1 AND mailbox_id = $2 AND email_id = ANY ($3);

-- They are gone from where they were. A row that a later operation brings them back to stays.
-- name: replay_gone
DELETE FROM placement p
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = ANY ($3)
   AND NOT EXISTS (SELECT FROM operation_item i
                    WHERE i.account_id = $1 AND i.email_id = p.email_id
                      AND i.mailbox_id = p.mailbox_id AND i.operation_id <> $4 AND i.effect = 2)
RETURNING p.email_id, p.mailbox_id, p.flags, p.is_hidden;

-- name: replay_gone_but_shown
UPDATE placement SET uid = NULL
 WHERE account_id = $1 AND mailbox_id = $2 AND email_id = ANY ($3) AND uid IS NOT NULL;

-- Where they came to. Without a uid told, or when it is another row's already, the row is one to be
-- met (replica_emails_add) or settled (replica_uids_settle).
-- name: replay_arrived
UPDATE placement p
   SET uid = CASE WHEN u.is_free THEN u.uid END, is_forgotten = NOT u.is_free
  FROM unnest($3::bigint[], $4::bigint[]) AS t (email_id, uid)
 CROSS JOIN LATERAL (
       SELECT t.uid, t.uid > 0 AND NOT EXISTS (
                  SELECT FROM placement o
                   WHERE o.account_id = $1 AND o.mailbox_id = $2 AND o.uid = t.uid
                     AND o.email_id <> t.email_id) AS is_free) u
 WHERE p.account_id = $1 AND p.mailbox_id = $2 AND p.email_id = t.email_id
   AND (p.uid IS NULL OR u.is_free);

-- name: replay_operation_finish
UPDATE operation
   SET state = 'done', result = $3, error_kind = NULL, error = NULL, finished_at = now()
 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- name: replay_operation_fail
UPDATE operation SET state = 'failed', error_kind = $3, error = $4, finished_at = now()
 WHERE account_id = $1 AND id = $2 AND state = 'running';

-- The next of its mailboxes begins with nothing written ahead.
-- name: replay_operation_go_on
UPDATE operation SET journal = NULL WHERE account_id = $1 AND id = $2 AND state = 'running';

-- name: replay_notify
SELECT pg_notify('restante', format('done %s %s', ($1)::bigint, ($2)::bigint));
