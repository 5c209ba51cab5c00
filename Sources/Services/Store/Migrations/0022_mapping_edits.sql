-- What people set of the mapping besides the configuration's file: who, why and when. The latest row of each place is
-- what stands there; a row without a value takes the ones before it away. Never changed, never deleted.
CREATE TABLE mapping_edit (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation text        NOT NULL,
    -- Company and site of the venue; '' where the value is the organisation's.
    company      text        NOT NULL DEFAULT '',
    site         text        NOT NULL DEFAULT '',
    -- In the words of the file: accounts.sales, payment_methods.cash, rules.wine.account …
    what         text        NOT NULL,
    value        text,
    author       text        NOT NULL,
    reason       text        NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    CHECK ((company = '') = (site = ''))
);
CREATE INDEX mapping_edit_latest ON mapping_edit (organisation, company, site, what, id DESC);

CREATE TRIGGER mapping_edit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON mapping_edit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Of a message that tells many alerts: the rows that go with it when it is forgotten.
CREATE INDEX alert_digest_of ON alert_digest (delivery_id);
