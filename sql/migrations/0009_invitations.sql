-- Answers to invitations.

-- What a person answered to an invitation that came by mail, and the message that carries it.
CREATE TABLE invitation_answer (
    account_id    bigint NOT NULL,
    email_id      bigint NOT NULL,               -- the invitation's message
    answer        text NOT NULL CHECK (answer IN ('accepted', 'tentative', 'declined')),
    submission_id bigint NOT NULL,               -- may be gone by now: then it went out
    answered_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, email_id),
    FOREIGN KEY (account_id, email_id) REFERENCES email ON DELETE CASCADE
);
ALTER TABLE invitation_answer ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer ON invitation_answer USING (account_id = ANY (ARRAY(
    SELECT id FROM account
     WHERE user_id = nullif(current_setting('restante.user_id', true), '')::bigint
       AND NOT is_gone)));
