-- Bytes in chunks.

-- name: blob_of_email
SELECT id, email_id, part, size_bytes, chunk_bytes, is_zstd
  FROM blob
 WHERE account_id = $1 AND email_id = $2 AND part = $3;

-- name: blobs_of_email
SELECT id, email_id, part, size_bytes, chunk_bytes, is_zstd
  FROM blob
 WHERE account_id = $1 AND email_id = $2
 ORDER BY part, id;

-- name: blob_by_id
SELECT id, email_id, part, size_bytes, chunk_bytes, is_zstd
  FROM blob
 WHERE account_id = $1 AND id = $2;

-- name: blob_chunk
SELECT bytes FROM blob_chunk WHERE account_id = $1 AND blob_id = $2 AND n = $3;

-- Of a chunk that is stored as it is; PostgreSQL then reads no more than the slice.
-- name: blob_chunk_slice
SELECT substring(bytes FROM $4::int FOR $5::int)
  FROM blob_chunk
 WHERE account_id = $1 AND blob_id = $2 AND n = $3;

-- name: blob_replace
DELETE FROM blob WHERE account_id = $1 AND email_id = $2 AND part = $3;

-- name: blob_chunk_put
INSERT INTO blob_chunk (account_id, blob_id, n, bytes) VALUES ($1, $2, $3, $4);

-- name: blob_put
INSERT INTO blob (account_id, id, email_id, part, size_bytes, chunk_bytes, is_zstd, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- === many at once ================================================================================

-- name: blobs_copy_chunks
COPY blob_chunk (account_id, blob_id, n, bytes) FROM STDIN (FORMAT binary);

-- name: blobs_copy
COPY blob (account_id, id, email_id, part, size_bytes, chunk_bytes, is_zstd, hash)
FROM STDIN (FORMAT binary);

-- name: blobs_of_emails_set
UPDATE email e
   SET blob_id = t.blob_id, is_text_settled = e.is_text_settled OR $4
  FROM unnest($2::bigint[], $3::bigint[]) AS t (email_id, blob_id)
 WHERE e.account_id = $1 AND e.id = t.email_id;
