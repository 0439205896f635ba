-- Folders as people have asked for them while the mail server does not know yet; the other columns say
-- how they are there. Folded anew from what is pending (mailbox_fold) whenever such an operation is
-- accepted or ends.
ALTER TABLE mailbox
    ADD COLUMN shown_name text,                  -- NULL: it lies where it lies upstream; else with:
    ADD COLUMN shown_parent_id bigint,           -- NULL: at the top
    ADD COLUMN shown_subscribed boolean,         -- NULL: as upstream
    ADD COLUMN is_doomed boolean NOT NULL DEFAULT false,  -- is to be deleted
    ADD COLUMN is_pending boolean NOT NULL DEFAULT false; -- is to be made: unknown upstream
