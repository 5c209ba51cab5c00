-- What happens to a document after it was posted, and what is asked of Kounta beside its lists of new orders.

-- What Xero would not do with a document that stands: a sentence for whoever decides what is done instead. Apart from
-- `cause`, which tells what was refused of the document itself and ends as a letter.
ALTER TABLE document ADD COLUMN obstacle text;

-- When the lists of deleted orders and of open customers' accounts were last read: they are short, and read more rarely.
ALTER TABLE poll_cursor ADD COLUMN side_lists_read timestamptz;

-- `removed`: it stood in Xero and was taken away again.
ALTER TABLE payment DROP CONSTRAINT payment_state_check;
ALTER TABLE payment ADD CONSTRAINT payment_state_check
    CHECK (state IN ('ready', 'sent', 'uncertain', 'written', 'refused', 'removed'));

-- The orders that stood in a venue's list of open customers' accounts when it was last read. One that no longer stands
-- there was paid, or is gone; weeks may have passed, so no list of recent orders shows it.
CREATE TABLE poll_open_account (
    company text NOT NULL,
    site    text NOT NULL,
    id      text NOT NULL,
    PRIMARY KEY (company, site, id)
);
