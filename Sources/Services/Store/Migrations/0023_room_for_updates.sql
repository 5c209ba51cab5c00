-- Room on each page for all its rows to move at once: a writer moves fifty neighbours in one transaction, and what they
-- were is free for reuse only after it. With less, most moves went to other pages and into every index again.
ALTER TABLE document SET (fillfactor = 42);
ALTER TABLE payment SET (fillfactor = 45);
