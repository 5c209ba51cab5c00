-- The tables the fleet shares. Every write is idempotent under a unique key; every statement the fleet runs has an
-- index that serves it. Bodies are compressed with lz4: pglz costs ten times the processor time for little more space.

-- Each version of each record of Kounta's, as it came.
CREATE TABLE source_record (
    company    text        NOT NULL,
    kind       text        NOT NULL,
    id         text        NOT NULL,
    hash       bytea       NOT NULL CHECK (length(hash) = 32),
    body       bytea       COMPRESSION lz4 NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (company, kind, id, hash)
);

-- One document of the ledger's. A document in state ready is the outbox: its message may be lost, the row is not.
CREATE TABLE document (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation   text        NOT NULL,
    number         text        NOT NULL,
    revision       integer     NOT NULL DEFAULT 0,
    company        text        NOT NULL,
    source_kind    text        NOT NULL,
    source_id      text        NOT NULL,
    source_hash    bytea       NOT NULL,
    venue          text        NOT NULL,
    contact_number text        NOT NULL,
    trading_date   date        NOT NULL,
    currency       text        NOT NULL,
    total          numeric     NOT NULL CHECK (total >= 0),
    content_hash   bytea       NOT NULL,
    state          text        NOT NULL DEFAULT 'ready'
                   CHECK (state IN ('ready', 'claimed', 'sent', 'uncertain', 'written', 'refused')),
    -- Raised by every claim: a writer that lost its lease can no longer change the row.
    fencing        bigint      NOT NULL DEFAULT 0,
    claimed_by     text,
    lease_until    timestamptz,
    xero_id        text,
    cause          text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    published_at   timestamptz NOT NULL DEFAULT now(),
    written_at     timestamptz,
    -- Nothing more is done by itself: written and no payment open, or refused.
    closed_at      timestamptz,
    UNIQUE (organisation, number),
    CHECK ((state = 'written') = (xero_id IS NOT NULL))
) WITH (fillfactor = 70);
-- What is not finished is a small part of the table: the sweeper and the metrics read only that. Its condition names
-- nothing that changes on a document's way, so that claims and results are updates in place (HOT) until the last.
CREATE INDEX document_open ON document (organisation, published_at) WHERE closed_at IS NULL;

-- The element of the request without its contact, exactly as it will be sent. Apart from the row that changes four times
-- on its way, so that each change writes some hundred bytes and not the whole document. No foreign keys here and on
-- payment: one statement makes a document with its body and payments, and a key's check a row costs as much as the row.
CREATE TABLE document_body (
    document_id bigint PRIMARY KEY,
    body        bytea  COMPRESSION lz4 NOT NULL
);

CREATE TABLE payment (
    id          bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint  NOT NULL,
    ordinal     integer NOT NULL,
    account     text    NOT NULL,
    amount      numeric NOT NULL CHECK (amount > 0),
    paid_on     date    NOT NULL,
    reference   text    NOT NULL,
    state       text    NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'sent', 'uncertain', 'written', 'refused')),
    xero_id     text,
    cause       text,
    UNIQUE (document_id, ordinal)
) WITH (fillfactor = 70);

-- Key and exact bytes of every call that creates something, stored before the call.
CREATE TABLE attempt (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation    text        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('invoices', 'payments')),
    idempotency_key text        NOT NULL UNIQUE,
    bytes           bytea       COMPRESSION lz4 NOT NULL,
    ids             bigint[]    NOT NULL,
    sent_by         text        NOT NULL,
    sent_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at     timestamptz,
    outcome         text
);
CREATE INDEX attempt_by_age ON attempt (sent_at);

CREATE TABLE contact_link (
    organisation   text        NOT NULL,
    contact_number text        NOT NULL,
    xero_id        text        NOT NULL,
    linked_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation, contact_number)
);

-- How far the poller has read each venue.
CREATE TABLE poll_cursor (
    company    text        NOT NULL,
    site       text        NOT NULL,
    position   timestamptz NOT NULL,
    rescanned  timestamptz,
    fence      bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, site)
);

-- The list rows whose details were published: what has not changed is not fetched again.
CREATE TABLE poll_seen (
    company  text        NOT NULL,
    id       text        NOT NULL,
    row_hash bytea       NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, id)
);

-- Who does what only one may do. The fence rises with each new holder.
CREATE TABLE lease (
    name   text        PRIMARY KEY,
    holder text        NOT NULL,
    fence  bigint      NOT NULL,
    until  timestamptz NOT NULL
);

CREATE TABLE budget (
    organisation text        PRIMARY KEY,
    parked_until timestamptz,
    parked_why   text,
    day          date        NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    day_calls    bigint      NOT NULL DEFAULT 0
);
CREATE TABLE budget_call (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation text        NOT NULL,
    taken_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz
);
CREATE INDEX budget_call_by_age ON budget_call (organisation, taken_at);

CREATE TABLE dead_letter (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- SHA-256 over origin, class, subject and body: a letter delivered twice is one letter.
    identity     bytea       NOT NULL UNIQUE,
    queue        text        NOT NULL,
    origin       text,
    class        text        NOT NULL,
    cause        text        NOT NULL,
    remedy       text        NOT NULL,
    organisation text,
    company      text,
    venue        text,
    source_kind  text,
    source_id    text,
    document_id  bigint,
    attempts     integer     NOT NULL,
    headers      jsonb       NOT NULL,
    body         bytea       COMPRESSION lz4 NOT NULL,
    first_seen   timestamptz NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    last_seen    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_by_class ON dead_letter (class, received_at);
