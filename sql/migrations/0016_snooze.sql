-- Messages that are out of the way until a time (server/store/snooze.h). They lie in a folder of their
-- own meanwhile, upstream too; what somebody takes out of it is not brought back.
CREATE TABLE snooze (
    account_id bigint NOT NULL,
    email_id   bigint NOT NULL,
    folder_id  bigint NOT NULL,                  -- where they lie meanwhile
    mailbox_id bigint NOT NULL,                  -- where they come back to
    until      timestamptz NOT NULL,
    is_marked  boolean NOT NULL DEFAULT false,   -- due, and unread again: next it is moved
    PRIMARY KEY (account_id, email_id),
    FOREIGN KEY (account_id, email_id) REFERENCES email ON DELETE CASCADE
);
CREATE INDEX snooze_due ON snooze (until);

ALTER TABLE snooze ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer ON snooze USING (account_id = ANY (ARRAY(
    SELECT id FROM account
     WHERE user_id = nullif(current_setting('restante.user_id', true), '')::bigint
       AND NOT is_gone)));
