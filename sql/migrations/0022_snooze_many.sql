-- Everything that a search or a folder has can be snoozed: a move that says when they come back.
ALTER TABLE bulk ADD COLUMN until timestamptz;
