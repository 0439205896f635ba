-- Before anything is removed from a POP3 server for the first time, the person has agreed to it. Accounts
-- that were there already have removed mail by what was said of their policy.
ALTER TABLE account
    ADD COLUMN pop3_may_remove  boolean NOT NULL DEFAULT false,
    ADD COLUMN pop3_expire_days int; -- the server throws away what was read after that; NULL: it does not say
UPDATE account SET pop3_may_remove = true WHERE kind = 'pop3' AND synced_at IS NOT NULL;
