-- What a person is needed for, who was told, and whether it arrived.

CREATE TABLE alert (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Kind and subject: two looks at the same thing have the same.
    key          text        NOT NULL,
    kind         text        NOT NULL,
    organisation text        NOT NULL DEFAULT '',
    -- As of the last look.
    place        text        NOT NULL,
    title        text        NOT NULL,
    cause        text        NOT NULL,
    remedy       text        NOT NULL,
    command      text        NOT NULL,
    since        timestamptz,
    count        bigint,
    amount       text,
    opened_at    timestamptz NOT NULL,
    last_seen    timestamptz NOT NULL,
    resolved_at  timestamptz,
    -- When notices could be delivered: after quiet hours.
    first_told   timestamptz,
    last_told    timestamptz,
    notices      integer     NOT NULL DEFAULT 0,
    escalated_at timestamptz
);
-- However many look: one alert.
CREATE UNIQUE INDEX alert_open ON alert (key) WHERE resolved_at IS NULL;
CREATE INDEX alert_resolved ON alert (resolved_at) WHERE resolved_at IS NOT NULL;

-- One message on one channel. Written in the transaction that decides it; delivered afterwards, and tried again.
CREATE TABLE alert_delivery (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id     bigint      NOT NULL,
    notice       text        NOT NULL CHECK (notice IN ('opened', 'reminder', 'escalated', 'resolved')),
    ordinal      integer     NOT NULL,
    channel      text        NOT NULL,
    subject      text        NOT NULL,
    body         text        NOT NULL,
    payload      text        NOT NULL,
    created_at   timestamptz NOT NULL,
    next_try     timestamptz NOT NULL,
    attempts     integer     NOT NULL DEFAULT 0,
    delivered_at timestamptz,
    given_up_at  timestamptz,
    error        text,
    UNIQUE (alert_id, notice, ordinal, channel)
);
CREATE INDEX alert_delivery_waiting ON alert_delivery (channel, next_try)
 WHERE delivered_at IS NULL AND given_up_at IS NULL;
CREATE INDEX alert_delivery_given_up ON alert_delivery (given_up_at) WHERE given_up_at IS NOT NULL;

-- Of what nobody is to be told for some time: '' stands for everything.
CREATE TABLE alert_mute (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL DEFAULT '',
    organisation text        NOT NULL DEFAULT '',
    key          text        NOT NULL DEFAULT '',
    until        timestamptz NOT NULL,
    author       text        NOT NULL,
    reason       text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_mute_by_end ON alert_mute (until);

-- When each venue's last order was made a document, kept by who looks for alerts: an index of documents by venue would
-- cost each document more than this costs in a day.
CREATE TABLE venue_activity (
    company       text        NOT NULL,
    venue         text        NOT NULL,
    last_order    timestamptz NOT NULL,
    last_document bigint      NOT NULL,
    PRIMARY KEY (company, venue)
);
