-- The address book: one a person. $1 is the person.

-- name: contact_list
SELECT id, name, array_to_string(emails, ' '), organization, note, is_collected, used_at
  FROM contact
 WHERE user_id = $1 AND (NOT is_collected OR $2) AND id > $3
 ORDER BY id
 LIMIT $4;

-- name: contact_by_id
SELECT id, name, array_to_string(emails, ' '), organization, note, is_collected, used_at
  FROM contact
 WHERE user_id = $1 AND id = $2;

-- name: contact_insert
INSERT INTO contact (user_id, name, emails, organization, note)
VALUES ($1, $2, $3, $4, $5)
RETURNING id;

-- name: contact_update
UPDATE contact SET name = $3, emails = $4, organization = $5, note = $6, is_collected = false
 WHERE user_id = $1 AND id = $2;

-- name: contact_delete
DELETE FROM contact WHERE user_id = $1 AND id = $2;

-- Who begins so, in name or address; those written to most and last come first. $2 and $3 are LIKE
-- patterns: at the beginning, and at the beginning of a later word.
-- name: contact_complete
SELECT c.id, c.name, address
  FROM contact c, unnest(c.emails) AS address
 WHERE c.user_id = $1
   AND (c.name ILIKE $2 OR c.name ILIKE $3 OR address ILIKE $2 OR address ILIKE $4)
 ORDER BY c.uses DESC, c.used_at DESC NULLS LAST, c.is_collected, c.name, address
 LIMIT $5;

-- Somebody was written to: counted where they are known, collected where not.
-- name: contact_collect
WITH people AS (
    SELECT DISTINCT ON (lower(p.email)) p.email, p.name
      FROM unnest($2::text[], $3::text[]) AS p (email, name)),
known AS (
    UPDATE contact c SET uses = c.uses + 1, used_at = now()
      FROM people p
     WHERE c.user_id = $1 AND c.emails && ARRAY[p.email]
    RETURNING p.email)
INSERT INTO contact (user_id, name, emails, is_collected, uses, used_at)
SELECT $1, p.name, ARRAY[p.email], true, 1, now()
  FROM people p
 WHERE p.email NOT IN (SELECT email FROM known);
