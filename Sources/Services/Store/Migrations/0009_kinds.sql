-- Documents of either kind, and what is done with one after it was posted. What there is already are sales invoices, the
-- first of their order; every new column has a default that says so, so that a row of an ordinary sale costs nothing more.

ALTER TABLE document
    ADD COLUMN kind text NOT NULL DEFAULT 'ACCREC' CHECK (kind IN ('ACCREC', 'ACCRECCREDIT')),
    -- Which of its order's documents it is: sale, refund <n>, reversal <revision>.
    ADD COLUMN slot text NOT NULL DEFAULT 'sale',
    -- Of a refund order: the number of the sale it gives back.
    ADD COLUMN original text,
    -- What a writer is to do with a document that stands in Xero: void it, or update it to its body.
    ADD COLUMN task text CHECK (task IN ('void', 'update')),
    -- Why it was made, changed or taken away, a sentence; null for a sale that was complete.
    ADD COLUMN reason text,
    -- Xero would not let a payment of it be taken away: it is reconciled with the bank.
    ADD COLUMN is_reconciled boolean NOT NULL DEFAULT false;

-- Only the few documents that are not their order's first: the first is found by its number.
CREATE INDEX document_further ON document (company, source_id) WHERE slot <> 'sale' OR revision > 0;
CREATE INDEX document_refunds ON document (original, organisation) WHERE original IS NOT NULL;

-- The document as the books keep it, where body and payments do not say all: credit notes, customers' own invoices.
ALTER TABLE document_body ADD COLUMN form bytea COMPRESSION lz4;

-- Part of a credit note that settles an open invoice, by that invoice's number; no money moves.
ALTER TABLE payment ADD COLUMN allocates text;

ALTER TABLE attempt DROP CONSTRAINT attempt_kind_check;
ALTER TABLE attempt ADD CONSTRAINT attempt_kind_check
    CHECK (kind IN ('invoices', 'credit_notes', 'payments', 'changes'));

-- What a document that stands in Xero is to become. Apart from it, so that until Xero has taken the change the document's
-- own row and body say what stands there.
CREATE TABLE document_change (
    document_id    bigint  PRIMARY KEY,
    body           bytea   COMPRESSION lz4 NOT NULL,
    form           bytea   COMPRESSION lz4,
    contact_number text    NOT NULL,
    trading_date   date    NOT NULL,
    total          numeric NOT NULL,
    content_hash   bytea   NOT NULL,
    source_hash    bytea   NOT NULL
);

-- The day through which an organisation's books are locked, as far as a writer was told so.
CREATE TABLE ledger_lock (
    organisation   text        PRIMARY KEY,
    locked_through date,
    read_at        timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE document DROP CONSTRAINT document_state_check;
ALTER TABLE document ADD CONSTRAINT document_state_check CHECK (
    state IN ('ready', 'claimed', 'sent', 'uncertain', 'written', 'refused', 'withdrawn', 'voided'));
ALTER TABLE document DROP CONSTRAINT document_check;
ALTER TABLE document ADD CONSTRAINT document_check CHECK ((state IN ('written', 'voided')) = (xero_id IS NOT NULL));

CREATE OR REPLACE FUNCTION is_legal_move(before text, after text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT before = after OR (before, after) IN (
        -- A claim and its sending are one statement where nothing waits between them.
        ('ready', 'claimed'), ('ready', 'sent'), ('ready', 'refused'), ('ready', 'withdrawn'),
        ('claimed', 'sent'), ('claimed', 'ready'), ('claimed', 'refused'),
        ('sent', 'written'), ('sent', 'refused'), ('sent', 'uncertain'), ('sent', 'ready'),
        ('uncertain', 'sent'), ('uncertain', 'written'), ('uncertain', 'ready'), ('uncertain', 'refused'),
        ('refused', 'ready'), ('refused', 'withdrawn'),
        ('written', 'voided')
    )
$$;
