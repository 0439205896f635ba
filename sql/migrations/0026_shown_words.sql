-- What people see of the keywords that a server tells of a placement: of each that an operation under way
-- adds or takes away, the last such decides, as pending_set and pending_clear do for flags. Volatile, to
-- see what was asked while the caller waited for the placement's lock.
CREATE FUNCTION shown_words(of_account bigint, of_email bigint, in_mailbox bigint, told text[])
RETURNS text[] LANGUAGE sql VOLATILE BEGIN ATOMIC
    WITH decided AS MATERIALIZED (
        SELECT DISTINCT ON (lower(w.word)) w.word, w.is_added
          FROM operation_item i
          JOIN operation o ON o.account_id = i.account_id AND o.id = i.operation_id AND o.kind = 'keywords'
         CROSS JOIN LATERAL (
               SELECT json_array_elements_text(o.arguments->'add') AS word, true AS is_added
               UNION ALL
               SELECT json_array_elements_text(o.arguments->'remove'), false) w
         WHERE i.account_id = of_account AND i.email_id = of_email AND i.mailbox_id = in_mailbox
           AND i.effect = 0
         ORDER BY lower(w.word), o.id DESC, w.is_added DESC)
    SELECT nullif(ARRAY(
               SELECT t.word FROM unnest(told) AS t (word)
                WHERE lower(t.word) NOT IN (SELECT lower(d.word) FROM decided d)
               UNION ALL
               SELECT d.word FROM decided d WHERE d.is_added), '{}');
END;
