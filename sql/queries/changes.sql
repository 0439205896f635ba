-- Of the change log and of the account's own series of ids.

-- name: account_next_ids
UPDATE account SET next_id = next_id + $2 WHERE id = $1 AND NOT is_gone RETURNING next_id - $2;

-- The row stays locked until the commit: numbers become visible in their order and without gaps.
-- name: change_begin
WITH next AS (
    UPDATE account SET modseq = modseq + 1 WHERE id = $1 AND NOT is_gone RETURNING modseq)
SELECT next.modseq
  FROM next, LATERAL pg_notify('restante', format('change %s %s', ($1)::bigint, next.modseq));

-- name: change_insert
INSERT INTO change (account_id, modseq, type, created, updated, destroyed)
SELECT id, modseq, $2, $3, $4, $5 FROM account WHERE id = $1 AND NOT is_gone;

-- A row with the state of the log, and the changes if there are any. A number's rows are never cut
-- apart.
-- name: changes_since
SELECT a.modseq,
       coalesce((SELECT min(modseq) FROM change WHERE account_id = a.id), a.modseq + 1) AS oldest,
       c.modseq, c.type, c.created, c.updated, c.destroyed
  FROM account a
  LEFT JOIN LATERAL (SELECT * FROM change
                      WHERE account_id = a.id AND modseq > $3
                      ORDER BY modseq FETCH FIRST ($4) ROWS WITH TIES) c ON true
 WHERE a.id = $1 AND NOT a.is_gone AND ($2 = 0 OR a.user_id = $2)
 ORDER BY c.modseq, c.type;
