-- Messages on their way out.

-- name: submission_known
SELECT id FROM submission WHERE account_id = $1 AND idempotency_key = $2;

-- name: submission_create
INSERT INTO submission (account_id, id, identity_id, draft_id, answers_id, answers_how, blob_id,
                        message_id, mail_from, recipients, needs_smtputf8, needs_8bit, bcc_field,
                        subject, to_text, send_at, idempotency_key, wants_report, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);

-- name: submission_notify
SELECT pg_notify('restante', format('send %s', ($1)::bigint));

-- The columns of submissions_list, submission_next and submissions_begin_filing too.
-- name: submission_by_id
SELECT id, identity_id, draft_id, answers_id, answers_how, blob_id, message_id, mail_from,
       recipients, needs_smtputf8, needs_8bit, wants_report, bcc_field, subject, to_text, phase,
       send_at, not_before, attempts, filings, error, created_at, ended_at
  FROM submission
 WHERE account_id = $1 AND id = $2;

-- Those under way first, then the others, newest first.
-- name: submissions_list
SELECT id, identity_id, draft_id, answers_id, answers_how, blob_id, message_id, mail_from,
       recipients, needs_smtputf8, needs_8bit, wants_report, bcc_field, subject, to_text, phase,
       send_at, not_before, attempts, filings, error, created_at, ended_at
  FROM submission
 WHERE account_id = $1
 ORDER BY phase NOT IN ('queued', 'transmitting', 'accepted'), id DESC
 LIMIT $2;

-- Only what has not begun to leave, to nobody.
-- name: submission_cancel
UPDATE submission SET phase = 'cancelled', ended_at = now()
 WHERE account_id = $1 AND id = $2 AND phase = 'queued'
   AND recipients::text NOT LIKE '%"accepted"%'
RETURNING draft_id;

-- name: submission_hurry
UPDATE submission SET send_at = least(send_at, now()), not_before = now(), waits_for_server = false
 WHERE account_id = $1 AND id = $2 AND phase = 'queued';

-- === the sync role ===============================================================================

-- A former life of the process died between the final dot and the answer: nobody knows.
-- name: submissions_recover
UPDATE submission
   SET phase = 'unknown', ended_at = now(), error = $2
 WHERE account_id = $1 AND phase = 'transmitting'
RETURNING id, draft_id;

-- In the order in which people sent them. $3: also those that wait for the server, for it is there; they
-- were due before. The last condition is what the others imply, as the index has it.
-- name: submission_next
SELECT id, identity_id, draft_id, answers_id, answers_how, blob_id, message_id, mail_from,
       recipients, needs_smtputf8, needs_8bit, wants_report, bcc_field, subject, to_text, phase,
       send_at, not_before, attempts, filings, error, created_at, ended_at
  FROM submission
 WHERE account_id = $1 AND phase = $2
   AND (greatest(send_at, not_before) <= now() OR (waits_for_server AND $3))
   AND CASE WHEN waits_for_server THEN send_at ELSE greatest(send_at, not_before) END <= now()
 ORDER BY CASE WHEN waits_for_server THEN send_at ELSE greatest(send_at, not_before) END, id
 LIMIT 1;

-- The end of one phase and the beginning of another; nothing when it is in another phase by now.
-- name: submission_turn
UPDATE submission
   SET phase = $4, recipients = coalesce($5, recipients), error = $6,
       attempts = attempts + $7, filings = filings + $9, not_before = coalesce($8, now()),
       waits_for_server = false,
       ended_at = CASE WHEN $4 IN ('filed', 'failed', 'unknown', 'cancelled') THEN now() END
 WHERE account_id = $1 AND id = $2 AND phase = $3
RETURNING draft_id;

-- name: submissions_begin_filing
UPDATE submission
   SET filings = 1, not_before = now() + $2 * interval '1 second'
 WHERE account_id = $1
   AND id = ANY (ARRAY(SELECT id FROM submission
                        WHERE account_id = $1 AND phase = 'accepted' AND filings = 0
                          AND greatest(send_at, not_before) <= now()
                        ORDER BY id LIMIT $3))
RETURNING id, identity_id, draft_id, answers_id, answers_how, blob_id, message_id, mail_from,
          recipients, needs_smtputf8, needs_8bit, wants_report, bcc_field, subject, to_text, phase,
          send_at, not_before, attempts, filings, error, created_at, ended_at;

-- All that are due are not to be tried before then: the server, not a message, is the trouble. $4: it
-- was tried.
-- name: submissions_wait
UPDATE submission
   SET not_before = $2, error = $3, attempts = attempts + $4, waits_for_server = true
 WHERE account_id = $1 AND phase = 'queued'
   AND (greatest(send_at, not_before) <= now() OR waits_for_server)
RETURNING id;

-- name: submission_next_due
SELECT min(greatest(send_at, not_before)) FROM submission WHERE account_id = $1 AND phase = $2;

-- The original of an answer, as it will be upstream in a moment.
-- name: submission_mark
UPDATE placement SET server_flags = server_flags | $3, flags = flags | $3
 WHERE account_id = $1 AND email_id = $2
RETURNING email_id;

-- The frozen bytes become those of the copy in a local folder.
-- name: submission_file_blob
UPDATE blob SET email_id = $3 WHERE account_id = $1 AND id = $2;

-- name: submission_file_bcc
UPDATE email SET bcc_json = $3 WHERE account_id = $1 AND id = $2;

-- Those that ended well are forgotten after a week (their keys with them), others after a year.
-- name: submission_sweep
DELETE FROM submission
 WHERE ended_at < now() - interval '1 week' AND phase IN ('filed', 'cancelled')
    OR ended_at < now() - interval '1 year';

-- Reports come for what was sent within the week, and are messages that came later: ids of both are
-- drawn from one counter.
-- name: submission_first_told
SELECT coalesce(min(id), 0) FROM submission
 WHERE account_id = $1 AND phase IN ('accepted', 'filed', 'unknown')
   AND created_at > now() - interval '8 days';

-- name: submission_newest_email
SELECT coalesce(max(id), 0) FROM email WHERE account_id = $1;

-- name: submission_next_report
SELECT id, structure::text FROM email
 WHERE account_id = $1 AND id > $2 AND id <= $3
   AND received_at > now() - interval '9 days' -- a backfill brings old mail by the hundred thousand
   AND structure::text SIMILAR TO '%message/(global-)?(delivery-status|disposition-notification)%'
 ORDER BY id
 LIMIT 1;

-- name: submission_by_message
SELECT id, recipients FROM submission
 WHERE account_id = $1 AND message_id = $2 AND phase IN ('accepted', 'filed', 'unknown')
 ORDER BY id DESC
 LIMIT 1
   FOR UPDATE;

-- name: submission_told
UPDATE submission SET recipients = $3 WHERE account_id = $1 AND id = $2;

-- name: submission_recipients
SELECT recipients FROM submission
 WHERE account_id = $1 AND message_id = $2 AND phase IN ('accepted', 'filed', 'unknown')
 ORDER BY id DESC
 LIMIT 1;
