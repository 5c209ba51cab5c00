-- The grants of access that people gave the fleet at Kounta and Xero. The tokens are sealed (AES-256-GCM): the row's
-- name, app and generation are bound in, so that no sealed text opens in another row or in an earlier state of its own.
CREATE TABLE credential (
    name               text        PRIMARY KEY,
    service            text        NOT NULL CHECK (service IN ('kounta', 'xero')),
    -- The app the grant was given to.
    client_id          text        NOT NULL,
    key_id             text        NOT NULL,
    sealed             bytea       NOT NULL CHECK (length(sealed) > 28),
    -- Rises with every pair: who saw an earlier one changes nothing.
    generation         bigint      NOT NULL CHECK (generation > 0),
    connected_at       timestamptz NOT NULL,
    renewed_at         timestamptz NOT NULL,
    access_ends        timestamptz NOT NULL,
    -- When the refresh token ends unused; null where the service does not say.
    refresh_ends       timestamptz,
    -- When this generation's refresh token was first sent; null until it was.
    sent_at            timestamptz,
    -- Since when, and why, a person is needed.
    dead_since         timestamptz,
    dead_why           text,
    CHECK ((dead_since IS NULL) = (dead_why IS NULL))
);

-- The organisations of Xero's that each connection covers. One is covered by one connection: the one made last.
CREATE TABLE credential_tenant (
    tenant             text        PRIMARY KEY,
    credential         text        NOT NULL REFERENCES credential ON DELETE CASCADE,
    -- Xero's id of the link between app and organisation.
    connection_id      text        NOT NULL,
    name               text        NOT NULL,
    -- Xero's sentence where it no longer lets us in.
    disconnected_since timestamptz,
    disconnected_why   text,
    CHECK ((disconnected_since IS NULL) = (disconnected_why IS NULL))
);
CREATE INDEX credential_tenant_by_credential ON credential_tenant (credential);
