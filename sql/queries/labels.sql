-- Labels: names and colours of keywords (server/store/labels.h).

-- name: label_list
SELECT l.account_id, l.id, l.name, l.keyword, l.former, l.colour
  FROM label l
 WHERE l.account_id = $1
 ORDER BY lower(l.name);

-- name: label_by_id
SELECT l.account_id, l.id, l.name, l.keyword, l.former, l.colour
  FROM label l
 WHERE l.account_id = $1 AND l.id = $2;

-- name: label_insert
INSERT INTO label (account_id, id, name, keyword, colour)
SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM label WHERE account_id = $1) < $6
    ON CONFLICT DO NOTHING;

-- The keyword that it has from now on is no former one, and the one it had is.
-- name: label_update
UPDATE label l
   SET name = $3, keyword = $4, colour = $5,
       former = ARRAY(SELECT word FROM unnest(l.keyword || l.former) word
                       WHERE lower(word) <> lower($4) LIMIT 8)
 WHERE l.account_id = $1 AND l.id = $2
   AND NOT EXISTS (SELECT FROM label o
                    WHERE o.account_id = $1 AND o.id <> $2
                      AND (lower(o.name) = lower($3) OR lower(o.keyword) = lower($4)));

-- A keyword that is a label's own is nobody's former one.
-- name: label_claim
UPDATE label
   SET former = ARRAY(SELECT word FROM unnest(former) word WHERE lower(word) <> lower($3))
 WHERE account_id = $1 AND id <> $2 AND EXISTS (
           SELECT FROM unnest(former) word WHERE lower(word) = lower($3));

-- name: label_delete
DELETE FROM label WHERE account_id = $1 AND id = $2;

-- Keywords that other programs gave to messages and that are no labels yet. Those that begin with "$"
-- mean something to programs, but for Thunderbird's five.
-- name: label_found
SELECT DISTINCT lower(word)
  FROM placement p, unnest(p.keywords) word
 WHERE p.account_id = $1 AND p.keywords IS NOT NULL AND NOT p.is_hidden
   AND (NOT starts_with(word, '$') OR lower(word) IN
        ('$label1', '$label2', '$label3', '$label4', '$label5'))
   AND lower(word) NOT IN ('junk', 'nonjunk', 'notjunk', 'forwarded', 'redirected')
   AND NOT EXISTS (SELECT FROM label l
                    WHERE l.account_id = $1
                      AND (lower(l.keyword) = lower(word)
                           OR EXISTS (SELECT FROM unnest(l.former) f WHERE lower(f) = lower(word))))
 LIMIT $2;
