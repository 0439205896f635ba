-- Groups of the address book. $1 is the person.

-- name: contact_group_list
SELECT g.id, g.name, count(m.contact_id)
  FROM contact_group g
  LEFT JOIN contact_member m ON m.user_id = g.user_id AND m.group_id = g.id
 WHERE g.user_id = $1
 GROUP BY g.id, g.name
 ORDER BY lower(g.name), g.id;

-- name: contact_group_by_id
SELECT g.id, g.name, count(m.contact_id)
  FROM contact_group g
  LEFT JOIN contact_member m ON m.user_id = g.user_id AND m.group_id = g.id
 WHERE g.user_id = $1 AND g.id = $2
 GROUP BY g.id, g.name;

-- name: contact_group_insert
INSERT INTO contact_group (user_id, name) VALUES ($1, $2)
    ON CONFLICT (user_id, lower(name)) DO NOTHING
RETURNING id;

-- name: contact_group_rename
UPDATE contact_group g SET name = $3
 WHERE g.user_id = $1 AND g.id = $2
   AND NOT EXISTS (SELECT FROM contact_group o
                    WHERE o.user_id = $1 AND o.id <> $2 AND lower(o.name) = lower($3));

-- name: contact_group_delete
DELETE FROM contact_group WHERE user_id = $1 AND id = $2;

-- Of one group, with what a contact has.
-- name: contact_group_members
SELECT c.id, c.name, array_to_string(c.emails, ' '), c.organization, c.note, c.is_collected, c.used_at
  FROM contact_member m
  JOIN contact c ON c.user_id = m.user_id AND c.id = m.contact_id
 WHERE m.user_id = $1 AND m.group_id = $2
 ORDER BY lower(c.name), c.id;

-- The group of that name, whatever its letters' case: its members' names and first addresses.
-- name: contact_group_people
SELECT c.name, c.emails[1]
  FROM contact_group g
  JOIN contact_member m ON m.user_id = g.user_id AND m.group_id = g.id
  JOIN contact c ON c.user_id = m.user_id AND c.id = m.contact_id
 WHERE g.user_id = $1 AND lower(g.name) = lower($2) AND cardinality(c.emails) > 0
 ORDER BY lower(c.name), c.id;

-- name: contact_group_join
INSERT INTO contact_member (user_id, group_id, contact_id)
SELECT $1, $2, c.id FROM contact c
 WHERE c.user_id = $1 AND c.id = ANY ($3::bigint[])
    ON CONFLICT DO NOTHING;

-- name: contact_group_leave
DELETE FROM contact_member
 WHERE user_id = $1 AND group_id = $2 AND contact_id = ANY ($3::bigint[]);

-- name: contact_group_complete
SELECT g.id, g.name, count(m.contact_id)
  FROM contact_group g
  JOIN contact_member m ON m.user_id = g.user_id AND m.group_id = g.id
 WHERE g.user_id = $1 AND (g.name ILIKE $2 OR g.name ILIKE $3)
 GROUP BY g.id, g.name
 ORDER BY lower(g.name)
 LIMIT $4;

-- Somebody's contact by one of their addresses.
-- name: contact_by_email
SELECT id FROM contact WHERE user_id = $1 AND emails && ARRAY[$2::text] ORDER BY is_collected, id LIMIT 1;
