-- The dead-letter desk. A letter is a matter: one version of a record, or one document. What arrives about it again
-- (delivered twice, or come back after a replay) changes the letter's row and leaves its own row behind.

-- Letters with one cause: same class, same sentence without its variable parts, same organisation ('' where unknown).
CREATE TABLE dead_letter_group (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class        text        NOT NULL,
    fingerprint  text        NOT NULL,
    organisation text        NOT NULL DEFAULT '',
    remedy       text        NOT NULL,
    assignee     text,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    last_seen    timestamptz NOT NULL DEFAULT now(),
    -- No letter of it is left open.
    closed_at    timestamptz,
    -- The letter sent ahead to see whether the cause is gone, and which of its replays that is.
    probe        bigint,
    probe_replay integer,
    probes       integer     NOT NULL DEFAULT 0,
    next_probe   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (class, fingerprint, organisation)
);
CREATE INDEX dead_letter_group_open ON dead_letter_group (id) WHERE closed_at IS NULL;

ALTER TABLE dead_letter
    ADD COLUMN state text NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'queued', 'replaying', 'resolved', 'discarded')),
    ADD COLUMN group_id bigint,
    ADD COLUMN assignee text,
    -- The document's number in the ledger.
    ADD COLUMN number text,
    ADD COLUMN amount numeric,
    ADD COLUMN business_date date,
    -- What the ledger lacks of the document: its invoice, a payment, or nothing (then there is nothing to send again).
    ADD COLUMN lacks text CHECK (lacks IN ('invoice', 'payment', 'nothing')),
    -- The body is only the beginning of what came.
    ADD COLUMN is_truncated boolean NOT NULL DEFAULT false,
    -- The record as a person corrected it; a replay sends this one.
    ADD COLUMN edited_body bytea COMPRESSION lz4,
    ADD COLUMN edits integer NOT NULL DEFAULT 0,
    -- How often it was sent again. A message that comes back names the replay it was; an older one's is history.
    ADD COLUMN replays integer NOT NULL DEFAULT 0,
    ADD COLUMN replayed_by text,
    -- In flight. Taken by a handler; its message confirmed; the mapper has dealt with it.
    ADD COLUMN taken_at timestamptz,
    ADD COLUMN published_at timestamptz,
    ADD COLUMN mapped_at timestamptz,
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN outcome text;

-- Letters of before this migration: a group a class, so that nothing lies outside of the groups.
INSERT INTO dead_letter_group (class, fingerprint, organisation, remedy)
SELECT class, 'before the desk kept causes', coalesce(organisation, ''), min(remedy)
  FROM dead_letter GROUP BY class, coalesce(organisation, '');
UPDATE dead_letter AS l SET group_id = g.id, lacks = CASE WHEN l.document_id IS NULL THEN NULL ELSE 'invoice' END
  FROM dead_letter_group AS g
 WHERE g.class = l.class AND g.organisation = coalesce(l.organisation, '');
ALTER TABLE dead_letter ALTER COLUMN group_id SET NOT NULL;

CREATE INDEX dead_letter_open ON dead_letter (group_id, id) WHERE state = 'open';
CREATE INDEX dead_letter_unclosed ON dead_letter (class, first_seen) WHERE state IN ('open', 'queued', 'replaying');
CREATE INDEX dead_letter_queued ON dead_letter (id) WHERE state = 'queued';
CREATE INDEX dead_letter_replaying ON dead_letter (id) WHERE state = 'replaying';
CREATE INDEX dead_letter_by_group ON dead_letter (group_id, id);
CREATE INDEX dead_letter_by_source ON dead_letter (source_id, company);
CREATE INDEX dead_letter_by_number ON dead_letter (number);
CREATE INDEX dead_letter_by_day ON dead_letter (business_date, venue);
CREATE INDEX dead_letter_by_venue ON dead_letter (venue, business_date);
CREATE INDEX dead_letter_by_amount ON dead_letter (amount);

-- Every message that arrived about a letter, once, with all its headers as it came.
CREATE TABLE dead_letter_arrival (
    -- SHA-256 over letter and headers: a second delivery of one message has the same.
    occurrence bytea       PRIMARY KEY,
    letter_id  bigint      NOT NULL,
    replay     integer     NOT NULL,
    class      text        NOT NULL,
    cause      text        NOT NULL,
    attempts   integer     NOT NULL,
    headers    jsonb       NOT NULL,
    arrived_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_arrival_of ON dead_letter_arrival (letter_id, arrived_at);

-- What people and the desk itself did with a letter. Never changed, never deleted: the edit and its author are kept.
CREATE TABLE dead_letter_event (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id bigint      NOT NULL,
    action    text        NOT NULL,
    author    text        NOT NULL,
    note      text,
    -- Of an edit: the record before and after it.
    before    bytea       COMPRESSION lz4,
    after     bytea       COMPRESSION lz4,
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_event_of ON dead_letter_event (letter_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % takes additions only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER dead_letter_event_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON dead_letter_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
