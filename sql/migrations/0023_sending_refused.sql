-- The server for outgoing mail refuses the account itself (its password, most often): told until it takes it.
ALTER TABLE account
    ADD COLUMN send_error text NOT NULL DEFAULT '',  -- a sentence for the person; empty: nothing is known
    ADD COLUMN send_hint  text NOT NULL DEFAULT '';  -- what to do
