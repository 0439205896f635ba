-- Messages that are out of the way until a time (server/store/snooze.h).

-- Before they are moved. One that waits already comes back to where it came from at first; one that was
-- taken out meanwhile, to where it lies now.
-- name: snooze_put
INSERT INTO snooze AS s (account_id, email_id, folder_id, mailbox_id, until)
SELECT $1, e.id, $3, $4, $5 FROM email e WHERE e.account_id = $1 AND e.id = ANY ($2)
    ON CONFLICT (account_id, email_id)
    DO UPDATE SET folder_id = excluded.folder_id, until = excluded.until, is_marked = false,
                  mailbox_id = CASE WHEN EXISTS (SELECT FROM placement p
                                                  WHERE p.account_id = $1 AND p.email_id = s.email_id
                                                    AND p.mailbox_id = s.folder_id AND NOT p.is_hidden)
                                    THEN s.mailbox_id ELSE excluded.mailbox_id END;

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
