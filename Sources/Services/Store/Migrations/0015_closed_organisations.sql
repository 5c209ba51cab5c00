-- Organisations with a credential of their own (a custom connection) that Xero no longer lets us into: what the row of a
-- grant says of the others, so that a person is told of these too.
CREATE TABLE organisation_closed (
    organisation text        PRIMARY KEY,
    since        timestamptz NOT NULL DEFAULT clock_timestamp(),
    why          text        NOT NULL
);
