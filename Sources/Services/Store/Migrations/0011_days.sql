-- Trading days that are posted as one summary, what belongs to each, and the promise that no order is ever posted twice.

-- Which orders are inside of a summary. An order that is posted by itself has no row here unless it once was inside of
-- one: nearly all orders of most fleets cost nothing.
CREATE TABLE posting_claim (
    company      text NOT NULL,
    source_id    text NOT NULL,
    route        text NOT NULL CHECK (route IN ('summary', 'order')),
    organisation text NOT NULL,
    -- What a document of the order's own would be called.
    number       text NOT NULL,
    PRIMARY KEY (company, source_id)
);

-- Which mode a venue's trading days are posted in, as the fleet has agreed on. The configuration decides for days to come;
-- what is here for a day that has begun stays, so that no day is posted half in one mode and half in the other.
CREATE TABLE venue_mode (
    company  text NOT NULL,
    site     text NOT NULL,
    from_day date NOT NULL,
    mode     text NOT NULL CHECK (mode IN ('per_order', 'daily_summary')),
    PRIMARY KEY (company, site, from_day)
);

-- A venue's trading day. `open` until it ends, `closing` while what is still on its way arrives, `closed` once its
-- documents are made (or it is known that there is nothing to make), `posted` when they stand in the ledger.
CREATE TABLE venue_day (
    company         text        NOT NULL,
    site            text        NOT NULL,
    day             date        NOT NULL,
    organisation    text        NOT NULL,
    venue           text        NOT NULL,
    -- As the day was first met: a day that has begun in one mode ends in it.
    mode            text        NOT NULL CHECK (mode IN ('per_order', 'daily_summary')),
    state           text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closing', 'closed', 'posted')),
    closing_since   timestamptz,
    -- When Xero's chart was compared with the mapping before the close, and how much was found to mend.
    checked_at      timestamptz,
    problems        integer,
    closed_at       timestamptz,
    posted_at       timestamptz,
    mapping_version bigint,
    -- Since when what belongs to the day is not what its documents say; null: it is.
    changed_at      timestamptz,
    -- Adjustments made after the close.
    turn            integer     NOT NULL DEFAULT 0,
    -- Sales and refunds in the day's documents, and what they come to, adjustments included.
    orders          integer     NOT NULL DEFAULT 0,
    total           numeric     NOT NULL DEFAULT 0,
    PRIMARY KEY (company, site, day),
    CHECK ((state IN ('closed', 'posted')) = (closed_at IS NOT NULL))
);
CREATE INDEX venue_day_open ON venue_day (company, site, day) WHERE state IN ('open', 'closing');
CREATE INDEX venue_day_unchecked ON venue_day (organisation) WHERE state = 'closing' AND checked_at IS NULL;
CREATE INDEX venue_day_unposted ON venue_day (company, site, day) WHERE state = 'closed';
CREATE INDEX venue_day_changed ON venue_day (company, site, day) WHERE changed_at IS NOT NULL;

-- What each order, or the till's variance of a payment method, adds to a day.
CREATE TABLE day_entry (
    company   text  NOT NULL,
    site      text  NOT NULL,
    day       date  NOT NULL,
    -- `order/<id>/<slot>` or `variance/<method>`.
    source    text  NOT NULL,
    -- The order's id, or `takings/<site>/<day>`.
    source_id text  NOT NULL,
    -- What it adds now; null: it went.
    now       bytea COMPRESSION lz4,
    -- What of it the day's documents hold; null: nothing.
    booked    bytea COMPRESSION lz4,
    PRIMARY KEY (company, site, day, source)
);
CREATE INDEX day_entry_of_source ON day_entry (company, source_id);
CREATE INDEX day_entry_unbooked ON day_entry (company, site, day) WHERE now IS DISTINCT FROM booked;

-- The documents of a day: its summary (turn 0) and its adjustments.
CREATE TABLE venue_day_document (
    document_id bigint  PRIMARY KEY,
    company     text    NOT NULL,
    site        text    NOT NULL,
    day         date    NOT NULL,
    turn        integer NOT NULL
);
CREATE INDEX venue_day_document_by_day ON venue_day_document (company, site, day);

-- Kounta's end-of-day takings, one a register or a site: there are any once somebody has counted the till.
CREATE TABLE takings (
    company    text        NOT NULL,
    id         text        NOT NULL,
    site       text        NOT NULL,
    day        date        NOT NULL,
    hash       bytea       NOT NULL CHECK (length(hash) = 32),
    body       bytea       COMPRESSION lz4 NOT NULL,
    counted_at timestamptz NOT NULL,
    first_seen timestamptz NOT NULL,
    PRIMARY KEY (company, id)
);
CREATE INDEX takings_by_day ON takings (company, site, day);

-- A file that belongs to a document, on its way into the ledger.
CREATE TABLE attachment (
    document_id  bigint      NOT NULL,
    organisation text        NOT NULL,
    name         text        NOT NULL,
    media_type   text        NOT NULL,
    body         bytea       COMPRESSION lz4 NOT NULL,
    state        text        NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'sent', 'written', 'refused')),
    xero_id      text,
    cause        text,
    lease_until  timestamptz,
    PRIMARY KEY (document_id, name)
);
CREATE INDEX attachment_open ON attachment (organisation, document_id) WHERE state IN ('ready', 'sent');

-- What a rule left out of the books, and why: an order that is nowhere in the ledger has its reason here.
CREATE TABLE skipped_record (
    company         text        NOT NULL,
    kind            text        NOT NULL,
    id              text        NOT NULL,
    hash            bytea       NOT NULL CHECK (length(hash) = 32),
    rule            text        NOT NULL,
    reason          text        NOT NULL,
    mapping_version bigint      NOT NULL,
    skipped_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, kind, id)
);

-- No order is posted twice, whatever a program believes. Both ways of posting come by here and wait for each other:
-- those that post by itself share the lock, the one that puts into a summary has it alone. A look after the lock sees
-- all that the others have committed.
CREATE FUNCTION order_is_not_in_summary() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('tillbridge/posting/' || c.company, 0))
       FROM (SELECT DISTINCT company FROM new_rows WHERE source_kind = 'order' ORDER BY company) AS c;
    SELECT n.number INTO found
      FROM new_rows AS n JOIN posting_claim AS c ON c.company = n.company AND c.source_id = n.source_id
     WHERE n.source_kind = 'order' AND c.route = 'summary' LIMIT 1;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'the order of % is inside of a daily summary', found
            USING ERRCODE = 'check_violation', CONSTRAINT = 'order_posted_once', TABLE = 'document';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER order_posted_once AFTER INSERT ON document
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION order_is_not_in_summary();

CREATE FUNCTION order_has_no_document() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('tillbridge/posting/' || c.company, 0))
       FROM (SELECT DISTINCT company FROM new_rows ORDER BY company) AS c;
    SELECT n.number INTO found
      FROM new_rows AS n JOIN document AS d ON d.number = n.number AND d.organisation = n.organisation
     WHERE n.route = 'summary' LIMIT 1;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'order % is posted by itself', found
            USING ERRCODE = 'check_violation', CONSTRAINT = 'order_posted_once', TABLE = 'posting_claim';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER order_posted_once AFTER INSERT ON posting_claim
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION order_has_no_document();
CREATE TRIGGER order_posted_once_still AFTER UPDATE ON posting_claim
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION order_has_no_document();
