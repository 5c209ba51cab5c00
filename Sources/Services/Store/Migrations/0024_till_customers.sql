-- What Kounta's own records say of customers, as they were last read for rules that ask: orders name their customer
-- without tags. A row lasts as long as it can be of use: the poller removes what nobody looked at for longer.
CREATE TABLE till_customer (
    company       text        NOT NULL,
    id            text        NOT NULL,
    tags          text[]      NOT NULL,
    email         text,
    -- Kounta no longer had them.
    is_gone       boolean     NOT NULL DEFAULT false,
    looked_at     timestamptz NOT NULL,
    -- Since when no look was answered, and what the last one failed with; null: the last look was answered.
    failing_since timestamptz,
    cause         text,
    PRIMARY KEY (company, id),
    CHECK ((failing_since IS NULL) = (cause IS NULL))
);
CREATE INDEX till_customer_by_look ON till_customer (company, looked_at);
