-- POP3 accounts have an Archive from the start, as they have a Sent and a Trash: those that were there
-- already get one, or the folder that they call so.
UPDATE mailbox m
   SET role = 'archive'
  FROM account a
 WHERE a.id = m.account_id AND a.kind = 'pop3' AND NOT a.is_gone AND m.is_local AND m.role IS NULL
   AND m.path = 'Archive'
   AND NOT EXISTS (SELECT FROM mailbox o WHERE o.account_id = a.id AND o.role = 'archive');

WITH lacking AS (
    UPDATE account a
       SET next_id = next_id + 1, modseq = modseq + 1
     WHERE kind = 'pop3' AND NOT is_gone
       AND NOT EXISTS (SELECT FROM mailbox m
                        WHERE m.account_id = a.id AND (m.role = 'archive' OR m.path = 'Archive'))
    RETURNING a.id AS account_id, next_id - 1 AS id, modseq),
made AS (
    INSERT INTO mailbox (account_id, id, name, path, wire_path, role, is_local, backfill_uid, modseq)
    SELECT account_id, id, 'Archive', 'Archive', convert_to('Archive', 'UTF8'), 'archive', true, 1, modseq
      FROM lacking)
INSERT INTO change (account_id, modseq, type, created)
SELECT account_id, modseq, 'mailbox', ARRAY[id] FROM lacking;
