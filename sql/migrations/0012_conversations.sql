-- Lists by conversation.

-- Whether a folder's list shows a conversation as one row.
ALTER TABLE "user" ADD COLUMN lists_conversations boolean NOT NULL DEFAULT true;

-- The newest of a conversation is found at one end of it.
DROP INDEX email_by_thread;
CREATE INDEX email_by_thread ON email (account_id, thread_id, received_at, id);
