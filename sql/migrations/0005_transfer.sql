-- Mail that people bring along in a file, and bodies that are fetched to make an export whole. Each is
-- carried on by the sync role some messages at a time; the row is its journal.
CREATE TABLE transfer (
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    id          bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('import', 'complete')),
    state       text NOT NULL DEFAULT 'running'
                CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    name        text NOT NULL DEFAULT '',        -- of the file
    blob_id     bigint,                          -- import: the file; NULL once it has ended
    mailbox_id  bigint,                          -- import: where the messages go
    is_seen     boolean NOT NULL DEFAULT true,   -- import: they are marked as read
    -- where the next batch begins (import: mail/archive.h; complete: the last email's id)
    at_entry    bigint NOT NULL DEFAULT 0,
    at_position bigint NOT NULL DEFAULT 0,
    at_unpacked bigint NOT NULL DEFAULT 0,
    -- Set before a batch is given to an IMAP server: whoever finds it set looks which of the batch are
    -- there, at or above this UID, before it gives them again.
    begun_uid         bigint,
    begun_uidvalidity bigint,
    size_bytes  bigint NOT NULL DEFAULT 0,       -- of the file
    done        bigint NOT NULL DEFAULT 0,       -- messages
    known       bigint NOT NULL DEFAULT 0,       -- left out: they were here already
    refused     bigint NOT NULL DEFAULT 0,       -- left out: too large, damaged, or not to be had
    others      bigint NOT NULL DEFAULT 0,       -- files in the archive that are no mail
    not_before  timestamptz NOT NULL DEFAULT now(),
    attempts    int NOT NULL DEFAULT 0,          -- in a row that failed
    error       text NOT NULL DEFAULT '',        -- a sentence for the person
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    PRIMARY KEY (account_id, id),
    -- deferred: when an account goes, its blobs may go before what refers to them
    FOREIGN KEY (account_id, blob_id) REFERENCES blob DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX transfer_by_blob ON transfer (account_id, blob_id) WHERE blob_id IS NOT NULL;
CREATE INDEX transfer_running ON transfer (account_id, id) WHERE state = 'running';

ALTER TABLE transfer ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer ON transfer USING (account_id = ANY (ARRAY(
    SELECT id FROM account
     WHERE user_id = nullif(current_setting('restante.user_id', true), '')::bigint
       AND NOT is_gone)));
