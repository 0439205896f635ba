-- How somebody writes as this sender: where the text of the original stands in an answer, and whether
-- letters begin formatted.
ALTER TABLE identity ADD COLUMN quoting text NOT NULL DEFAULT 'below'
    CHECK (quoting IN ('below', 'above', 'none'));
ALTER TABLE identity ADD COLUMN is_html boolean NOT NULL DEFAULT false;

-- Whether the mail servers are asked to report what becomes of a message (RFC 3461).
ALTER TABLE draft ADD COLUMN wants_report boolean NOT NULL DEFAULT false;
ALTER TABLE submission ADD COLUMN wants_report boolean NOT NULL DEFAULT false;
