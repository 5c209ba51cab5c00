-- Each mapping that was ever in effect: the configuration's bytes, so that what decided on a document can be read and
-- tried again. Secrets are never in that file.
CREATE TABLE mapping_version (
    version    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash       bytea       NOT NULL UNIQUE CHECK (length(hash) = 32),
    file       bytea       COMPRESSION lz4 NOT NULL,
    first_used timestamptz NOT NULL DEFAULT now(),
    last_used  timestamptz NOT NULL DEFAULT now()
);

-- Why each line of a document is what it is: the rule that decided it, in the lines' order. A document without a row
-- here was booked by the defaults alone, so that most documents cost nothing. No foreign key, as with document_body.
CREATE TABLE document_line_basis (
    document_id     bigint      PRIMARY KEY,
    mapping_version bigint      NOT NULL,
    rules           text[]      NOT NULL,
    warnings        text[]      NOT NULL DEFAULT '{}'
);

-- Which of Kounta's products stands in Xero as which item, and over what it was last made: what has not changed is not
-- sent again.
CREATE TABLE item_link (
    organisation text        NOT NULL,
    code         text        NOT NULL,
    product      text        NOT NULL,
    hash         bytea       NOT NULL CHECK (length(hash) = 32),
    xero_id      text        NOT NULL,
    linked_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation, code)
);

-- What Kounta's catalogue says of products, for rules about categories and tags.
CREATE TABLE product (
    company    text        NOT NULL,
    id         text        NOT NULL,
    name       text        NOT NULL,
    sku        text,
    categories text[]      NOT NULL,
    tags       text[]      NOT NULL,
    price      numeric,
    tax_rates  numeric[]   NOT NULL,
    read_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, id)
);
