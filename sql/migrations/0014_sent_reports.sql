-- What became of a message is told on its own page too.
CREATE INDEX submission_by_message ON submission (account_id, message_id);
