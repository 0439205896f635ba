-- Folders as people see them.

-- name: mailbox_list
SELECT id, parent_id, name, path, delimiter, role, mailbox_order(sort_order, role), is_subscribed,
       is_selectable, is_local, total, unread, upstream_total, is_local OR NOT is_selectable OR backfill_uid = 1
  FROM mailbox
 WHERE account_id = $1
 ORDER BY mailbox_order(sort_order, role), name COLLATE "und-x-icu", id;

-- name: mailbox_by_id
SELECT id, parent_id, name, path, delimiter, role, mailbox_order(sort_order, role), is_subscribed,
       is_selectable, is_local, total, unread, upstream_total, is_local OR NOT is_selectable OR backfill_uid = 1
  FROM mailbox
 WHERE account_id = $1 AND id = $2;

-- name: mailbox_by_role
SELECT id, parent_id, name, path, delimiter, role, mailbox_order(sort_order, role), is_subscribed,
       is_selectable, is_local, total, unread, upstream_total, is_local OR NOT is_selectable OR backfill_uid = 1
  FROM mailbox
 WHERE account_id = $1 AND role = $2
 ORDER BY id
 LIMIT 1;

-- In the order given: $3 for the first, and counted on; -1: as if nobody had chosen one.
-- name: mailbox_sort
UPDATE mailbox m SET sort_order = nullif($3, -1)::int + (wanted.place::int - 1)
  FROM unnest($2::bigint[]) WITH ORDINALITY AS wanted (id, place)
 WHERE m.account_id = $1 AND m.id = wanted.id;
