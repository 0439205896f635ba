-- Folders as people see them.

-- name: mailbox_list
SELECT id, parent_id, name, path, delimiter, role, sort_order, is_subscribed, is_selectable, is_local,
       total, unread, upstream_total, is_local OR NOT is_selectable OR backfill_uid = 1
  FROM mailbox
 WHERE account_id = $1
 ORDER BY coalesce(array_position(ARRAY['inbox', 'drafts', 'sent', 'archive', 'junk', 'trash', 'all',
                                        'flagged', 'important'], role), 100),
          sort_order, name COLLATE "und-x-icu", id;

-- name: mailbox_by_id
SELECT id, parent_id, name, path, delimiter, role, sort_order, is_subscribed, is_selectable, is_local,
       total, unread, upstream_total, is_local OR NOT is_selectable OR backfill_uid = 1
  FROM mailbox
 WHERE account_id = $1 AND id = $2;

-- name: mailbox_by_role
SELECT id, parent_id, name, path, delimiter, role, sort_order, is_subscribed, is_selectable, is_local,
       total, unread, upstream_total, is_local OR NOT is_selectable OR backfill_uid = 1
  FROM mailbox
 WHERE account_id = $1 AND role = $2
 ORDER BY id
 LIMIT 1;
