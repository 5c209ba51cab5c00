-- What may be written into the till of what the ledger's side knows: one row a customer or a till's takings, however often
-- it changes. A row is made in the transaction of the fact it is about (a document for a customer, takings of a day); whether
-- anything is written, and what, the poller decides by the rules of the day. It looks for the other half of the fact, the
-- contact's id or the posted day, by itself: neither side can be late, and nothing can be lost between them.
CREATE TABLE till_write (
    company         text        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('customer', 'takings')),
    -- Kounta's id of the customer or of the takings.
    id              text        NOT NULL,
    organisation    text        NOT NULL,
    -- Of a customer: the contact number of the latest document that was made out to them.
    contact_number  text,
    -- When the record that says so was first seen: what tells the newer of two.
    seen_at         timestamptz NOT NULL,
    -- Raised by every reason to look again: who looked before it does not settle the row.
    revision        bigint      NOT NULL DEFAULT 1,
    -- Null: settled.
    due_at          timestamptz DEFAULT now(),
    attempts        integer     NOT NULL DEFAULT 0,
    -- What the till holds by our hand, and what was about to be put there: anything else is somebody else's.
    written         text,
    sending         text,
    outcome         text        CHECK (outcome IN (
                        'written', 'stands', 'unruled', 'gone', 'foreign', 'refused', 'failed', 'altered')),
    cause           text,
    -- Of the rules that decided, and the mapping they were in.
    rules_hash      bytea       CHECK (length(rules_hash) = 32),
    mapping_version bigint,
    settled_at      timestamptz,
    PRIMARY KEY (company, kind, id),
    CHECK ((kind = 'customer') = (contact_number IS NOT NULL))
);
CREATE INDEX till_write_due ON till_write (company, kind, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX till_write_of_contact ON till_write (organisation, contact_number) WHERE kind = 'customer';
-- What a person should know of: few.
CREATE INDEX till_write_left ON till_write (company, outcome) WHERE outcome IN ('foreign', 'refused', 'failed', 'altered');
