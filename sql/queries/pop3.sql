-- What was met in the maildrops of POP3 accounts. Sync role only.

-- name: pop3_uidls
SELECT uidl, occurrence, email_id, size_bytes, fingerprint, state, received_at, absent_since
  FROM pop3_uidl
 WHERE account_id = $1
 ORDER BY uidl COLLATE "C", occurrence;

-- name: pop3_uidl_of_email
SELECT uidl, occurrence, email_id, size_bytes, fingerprint, state, received_at, absent_since
  FROM pop3_uidl
 WHERE account_id = $1 AND email_id = $2
 ORDER BY absent_since NULLS FIRST
 LIMIT 1;

-- A key that is here already belonged to a message that is gone: the new one takes it over.
-- name: pop3_uidls_put
INSERT INTO pop3_uidl (account_id, uidl, occurrence, email_id, size_bytes, fingerprint, state,
                       received_at)
SELECT $1, t.uidl, t.occurrence, nullif(t.email_id, 0), t.size_bytes, t.fingerprint, t.state,
       coalesce(to_timestamp(nullif(t.received_us, 0) / 1000000.0), now())
  FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[])
       AS t (uidl, occurrence, email_id, size_bytes, fingerprint, state, received_us)
    ON CONFLICT (account_id, uidl, occurrence) DO UPDATE
   SET email_id = excluded.email_id, size_bytes = excluded.size_bytes,
       fingerprint = excluded.fingerprint, state = excluded.state,
       received_at = excluded.received_at, absent_since = NULL;

-- name: pop3_uidls_state
UPDATE pop3_uidl u
   SET state = $4
  FROM unnest($2::text[], $3::int[]) AS t (uidl, occurrence)
 WHERE u.account_id = $1 AND u.uidl = t.uidl AND u.occurrence = t.occurrence AND u.state <> $4;

-- name: pop3_uidls_absent
UPDATE pop3_uidl u
   SET absent_since = now()
  FROM unnest($2::text[], $3::int[]) AS t (uidl, occurrence)
 WHERE u.account_id = $1 AND u.uidl = t.uidl AND u.occurrence = t.occurrence
   AND u.absent_since IS NULL;

-- name: pop3_uidls_present
UPDATE pop3_uidl u
   SET absent_since = NULL
  FROM unnest($2::text[], $3::int[]) AS t (uidl, occurrence)
 WHERE u.account_id = $1 AND u.uidl = t.uidl AND u.occurrence = t.occurrence;

-- name: pop3_uidls_forget
DELETE FROM pop3_uidl u
 USING unnest($2::text[], $3::int[]) AS t (uidl, occurrence)
 WHERE u.account_id = $1 AND u.uidl = t.uidl AND u.occurrence = t.occurrence;

-- The newest first: they are looked for most.
-- name: pop3_wordless
SELECT id, size_bytes FROM email
 WHERE account_id = $1 AND blob_id IS NOT NULL AND NOT is_text_settled
 ORDER BY id DESC
 LIMIT $2;
