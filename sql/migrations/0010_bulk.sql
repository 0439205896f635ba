-- An action on everything that a search or a folder has, accepted as one row and carried out here some
-- messages at a time (server/store/bulk.h), each batch as actions like any other.
CREATE TABLE bulk (
    account_id   bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    id           bigint NOT NULL,                -- emails with a higher one came after it was accepted
    kind         text NOT NULL
                 CHECK (kind IN ('keywords', 'move', 'copy', 'trash', 'destroy', 'undo')),
    state        text NOT NULL DEFAULT 'running'
                 CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    -- which messages: in this folder (NULL: anywhere), and found by this query ('': all)
    mailbox_id   bigint,
    query        text NOT NULL DEFAULT '',
    asked_at     timestamptz NOT NULL DEFAULT now(), -- "today" in the query, in a zone so many
    zone_minutes int NOT NULL DEFAULT 0,         -- minutes east of UTC
    -- what becomes of them
    set_flags    int NOT NULL DEFAULT 0,
    clear_flags  int NOT NULL DEFAULT 0,
    add_words    text[] NOT NULL DEFAULT '{}',
    remove_words text[] NOT NULL DEFAULT '{}',
    target_id    bigint,
    undoes_id    bigint,                         -- undo: another bulk
    -- how far it is
    found        bigint[],                       -- emails, newest first; undo: operations, last first
    total        int NOT NULL DEFAULT 0,
    done         int NOT NULL DEFAULT 0,         -- of `found`: the cursor
    is_marked    boolean NOT NULL DEFAULT false, -- the next batch has its flags and is to be moved
    changed      int NOT NULL DEFAULT 0,
    error        text NOT NULL DEFAULT '',       -- a sentence for the person
    idempotency_key text,
    stepped_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    PRIMARY KEY (account_id, id)
) WITH (fillfactor = 50);
ALTER TABLE bulk ALTER COLUMN found SET STORAGE EXTENDED;
CREATE UNIQUE INDEX bulk_by_key ON bulk (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX bulk_running ON bulk (account_id, id) WHERE state = 'running';

ALTER TABLE operation ADD COLUMN bulk_id bigint;
CREATE INDEX operation_by_bulk ON operation (account_id, bulk_id, id) WHERE bulk_id IS NOT NULL;

ALTER TABLE bulk ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer ON bulk USING (account_id = ANY (ARRAY(
    SELECT id FROM account
     WHERE user_id = nullif(current_setting('restante.user_id', true), '')::bigint
       AND NOT is_gone)));
