-- Folders as people see them: as the mail server has them, with what was asked for laid over.

-- name: mailbox_list
SELECT id, CASE WHEN shown_name IS NULL THEN parent_id ELSE shown_parent_id END,
       coalesce(shown_name, name), path, delimiter, role, mailbox_order(sort_order, role),
       coalesce(shown_subscribed, is_subscribed), is_selectable, is_local, total, unread,
       upstream_total, is_local OR is_pending OR NOT is_selectable OR backfill_uid = 1,
       shown_name IS NOT NULL OR is_pending
  FROM mailbox
 WHERE account_id = $1 AND NOT is_doomed
 ORDER BY mailbox_order(sort_order, role), coalesce(shown_name, name) COLLATE "und-x-icu", id;

-- name: mailbox_by_id
SELECT id, CASE WHEN shown_name IS NULL THEN parent_id ELSE shown_parent_id END,
       coalesce(shown_name, name), path, delimiter, role, mailbox_order(sort_order, role),
       coalesce(shown_subscribed, is_subscribed), is_selectable, is_local, total, unread,
       upstream_total, is_local OR is_pending OR NOT is_selectable OR backfill_uid = 1
  FROM mailbox
 WHERE account_id = $1 AND id = $2 AND NOT is_doomed
   AND ($3 = 0 OR EXISTS (SELECT FROM account a WHERE a.id = $1 AND a.user_id = $3));

-- name: mailbox_by_role
SELECT id, CASE WHEN shown_name IS NULL THEN parent_id ELSE shown_parent_id END,
       coalesce(shown_name, name), path, delimiter, role, mailbox_order(sort_order, role),
       coalesce(shown_subscribed, is_subscribed), is_selectable, is_local, total, unread,
       upstream_total, is_local OR is_pending OR NOT is_selectable OR backfill_uid = 1
  FROM mailbox
 WHERE account_id = $1 AND role = $2 AND NOT is_doomed
 ORDER BY id
 LIMIT 1;

-- name: mailbox_look
SELECT pg_notify('restante', format('look %s %s', account_id, id)) FROM mailbox
 WHERE account_id = $1 AND id = $2 AND is_selectable AND NOT is_local AND NOT is_pending;

-- In the order given: $3 for the first, and counted on; -1: as if nobody had chosen one.
-- name: mailbox_sort
UPDATE mailbox m SET sort_order = nullif($3, -1)::int + (wanted.place::int - 1)
  FROM unnest($2::bigint[]) WITH ORDINALITY AS wanted (id, place)
 WHERE m.account_id = $1 AND m.id = wanted.id;

-- What is pending laid over a folder; of each kind the last counts.
-- name: mailbox_fold
WITH asked AS (
    SELECT id, kind, arguments FROM operation
     WHERE account_id = $1 AND state IN ('pending', 'running') AND starts_with(kind, 'mailbox-')
       AND (arguments->>'mailboxId')::bigint = $2),
renamed AS (
    SELECT arguments->>'name' AS name, nullif((arguments->>'parentId')::bigint, 0) AS parent_id
      FROM asked WHERE kind = 'mailbox-rename' ORDER BY id DESC LIMIT 1),
subscribed AS (
    SELECT kind = 'mailbox-subscribe' AS is_subscribed
      FROM asked WHERE kind IN ('mailbox-subscribe', 'mailbox-unsubscribe') ORDER BY id DESC LIMIT 1)
UPDATE mailbox
   SET shown_name = (SELECT name FROM renamed), shown_parent_id = (SELECT parent_id FROM renamed),
       shown_subscribed = (SELECT is_subscribed FROM subscribed),
       is_doomed = EXISTS (SELECT FROM asked WHERE kind = 'mailbox-delete')
 WHERE account_id = $1 AND id = $2;

-- What was asked of a folder, with how it was before, for who takes it back.
-- name: mailbox_operation
SELECT kind, state, (arguments->>'mailboxId')::bigint, coalesce(arguments->>'wasName', ''),
       coalesce((arguments->>'wasParentId')::bigint, 0)
  FROM operation
 WHERE account_id = $1 AND id = $2 AND starts_with(kind, 'mailbox-');
