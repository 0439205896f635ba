-- Folders in an order of the person's own; NULL: none was chosen, and a folder stands by its role and
-- then by its name.
ALTER TABLE mailbox ALTER COLUMN sort_order DROP NOT NULL, ALTER COLUMN sort_order DROP DEFAULT;
UPDATE mailbox SET sort_order = NULL;

-- What RFC 8621 section 2 calls sortOrder.
CREATE FUNCTION mailbox_order(sort_order int, role text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sort_order,
                    array_position(ARRAY['inbox', 'drafts', 'sent', 'archive', 'junk', 'trash', 'all',
                                         'flagged', 'important'], role),
                    100)
$$;
