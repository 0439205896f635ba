-- A message larger than is taken, or one that does not end, is here with its beginning only.
ALTER TABLE pop3_uidl DROP CONSTRAINT pop3_uidl_state_check;
ALTER TABLE pop3_uidl ADD CONSTRAINT pop3_uidl_state_check
    CHECK (state IN ('partial', 'oversized', 'here', 'dele-sent', 'removed'));
