-- What an operation lays over placements. A row for each placement that it concerns: the overlay that
-- people see (placement.pending_set, pending_clear, is_hidden) is folded from these in the order of
-- operations, and folded anew when one of them ends.
CREATE TABLE operation_item (
    account_id   bigint NOT NULL,
    operation_id bigint NOT NULL,
    email_id     bigint NOT NULL,
    mailbox_id   bigint NOT NULL,
    effect       smallint NOT NULL,              -- 0 flags, 1 leaves this mailbox, 2 comes to it
    set_flags    int NOT NULL DEFAULT 0,
    clear_flags  int NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, email_id, mailbox_id, operation_id),
    FOREIGN KEY (account_id, operation_id) REFERENCES operation ON DELETE CASCADE,
    FOREIGN KEY (account_id, email_id) REFERENCES email ON DELETE CASCADE
);
CREATE INDEX operation_item_by_operation ON operation_item (account_id, operation_id);

ALTER TABLE operation_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer ON operation_item USING (account_id = ANY (ARRAY(
    SELECT id FROM account
     WHERE user_id = nullif(current_setting('restante.user_id', true), '')::bigint
       AND NOT is_gone)));
