-- What people call keywords of their messages (server/store/labels.h).
CREATE TABLE label (
    account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    id         bigint NOT NULL,
    name       text NOT NULL,
    keyword    text NOT NULL,                    -- as it is set upstream: an IMAP atom
    former     text[] NOT NULL DEFAULT '{}',     -- keywords it had before: shown as the same label
    colour     smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX label_by_name ON label (account_id, lower(name));
CREATE UNIQUE INDEX label_by_keyword ON label (account_id, lower(keyword));
-- Few messages have any.
CREATE INDEX placement_words ON placement (account_id, email_id) WHERE keywords IS NOT NULL;

ALTER TABLE label ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer ON label USING (account_id = ANY (ARRAY(
    SELECT id FROM account
     WHERE user_id = nullif(current_setting('restante.user_id', true), '')::bigint
       AND NOT is_gone)));
