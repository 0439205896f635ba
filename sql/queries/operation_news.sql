-- What people should know of what they asked for. Of kinds that only people ask for: fetching and
-- filing go on behind their backs.

-- name: operation_news
SELECT w.waiting, w.since, f.refused,
       EXISTS (SELECT FROM bulk
                WHERE account_id = $1 AND (state = 'running' OR ended_at > now() - interval '5 minutes'))
  FROM (SELECT count(*) AS waiting, min(created_at) AS since FROM operation
         WHERE account_id = $1 AND state IN ('pending', 'running') AND NOT is_urgent
           AND (kind IN ('keywords', 'move', 'copy', 'destroy') OR starts_with(kind, 'mailbox-'))) w,
       (SELECT count(*) AS refused FROM operation
         WHERE account_id = $1 AND state = 'failed' AND NOT is_urgent AND NOT is_told
           AND (kind IN ('keywords', 'move', 'copy', 'destroy') OR starts_with(kind, 'mailbox-'))) f;

-- name: operations_refused
SELECT id, kind, arguments, error_kind, error, created_at, finished_at
  FROM operation
 WHERE account_id = $1 AND state = 'failed' AND NOT is_urgent AND NOT is_told
   AND (kind IN ('keywords', 'move', 'copy', 'destroy') OR starts_with(kind, 'mailbox-'))
 ORDER BY id DESC
 LIMIT $2;

-- name: operations_told
UPDATE operation SET is_told = true
 WHERE account_id = $1 AND id <= $2 AND state = 'failed' AND NOT is_urgent AND NOT is_told;
