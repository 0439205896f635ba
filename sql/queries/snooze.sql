-- Messages that are out of the way until a time (server/store/snooze.h).

-- Before the messages themselves are locked, as whoever brings them back does.
-- name: snooze_hold
SELECT FROM snooze WHERE account_id = $1 ORDER BY email_id FOR NO KEY UPDATE;

-- Each comes back to where it lies: the inbox before others, and those that show what lies elsewhere last.
-- name: snooze_note
WITH place AS (
    SELECT DISTINCT ON (p.email_id) p.email_id, nullif(p.mailbox_id, $2) AS mailbox_id
      FROM unnest(($3)::bigint[], ($4)::bigint[]) AS p (email_id, mailbox_id)
      JOIN mailbox m ON m.account_id = $1 AND m.id = p.mailbox_id
     ORDER BY p.email_id, m.id = $2, coalesce(m.role IN ('all', 'flagged', 'important'), false),
              m.role IS DISTINCT FROM 'inbox', m.id)
INSERT INTO snooze (account_id, email_id, folder_id, mailbox_id, until)
SELECT $1, p.email_id, $2, coalesce(p.mailbox_id, s.mailbox_id, $2), $5
  FROM place p
  LEFT JOIN snooze s ON s.account_id = $1 AND s.email_id = p.email_id
    ON CONFLICT (account_id, email_id)
    DO UPDATE SET folder_id = excluded.folder_id, mailbox_id = excluded.mailbox_id,
                  until = excluded.until, is_marked = false;

-- Those that still lie where they were put.
-- name: snooze_list
SELECT s.email_id, s.mailbox_id, s.until
  FROM snooze s
  JOIN placement p ON p.account_id = s.account_id AND p.email_id = s.email_id
                  AND p.mailbox_id = s.folder_id AND NOT p.is_hidden
  JOIN account a ON a.id = s.account_id
 WHERE s.account_id = $1 AND NOT a.is_gone AND ($2 = 0 OR a.user_id = $2)
 ORDER BY s.until, s.email_id
 LIMIT $3;

-- name: snooze_hurry
WITH due AS (
    UPDATE snooze SET until = least(until, now())
     WHERE account_id = $1 AND email_id = ANY ($2) RETURNING 1)
SELECT count(*), (SELECT pg_notify('restante', format('bulk %s', ($1)::bigint)))::text FROM due;

-- name: snooze_next
SELECT s.account_id, s.folder_id, s.mailbox_id, s.is_marked
  FROM snooze s JOIN account a ON a.id = s.account_id
 WHERE s.until <= now() AND NOT a.is_gone
 ORDER BY s.until
 LIMIT 1;

-- Whoever took one out of the folder has ended it: it does not come on top of where it went.
-- name: snooze_left
DELETE FROM snooze s
 WHERE s.account_id = $1 AND s.until <= now()
   AND NOT EXISTS (SELECT FROM placement p
                    WHERE p.account_id = $1 AND p.email_id = s.email_id
                      AND p.mailbox_id = s.folder_id AND NOT p.is_hidden);

-- name: snooze_lock
SELECT email_id
  FROM snooze
 WHERE account_id = $1 AND folder_id = $2 AND mailbox_id = $3 AND is_marked = $4 AND until <= now()
 ORDER BY email_id
 LIMIT 500
   FOR UPDATE SKIP LOCKED;

-- name: snooze_marked
UPDATE snooze SET is_marked = true WHERE account_id = $1 AND email_id = ANY ($2);

-- name: snooze_over
DELETE FROM snooze WHERE account_id = $1 AND email_id = ANY ($2);

-- They come back on top of the list.
-- name: snooze_on_top
UPDATE placement SET received_at = now()
 WHERE account_id = $1 AND mailbox_id = $2 AND email_id = ANY ($3) AND NOT is_hidden;
