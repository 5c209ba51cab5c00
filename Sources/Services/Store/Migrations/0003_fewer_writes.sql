-- What a document costs the database on its way, halved.

-- A payment is named by its document and its place there: one index less to keep for each. The state `sent` is no longer
-- written: whoever takes over a written document with open payments reads the invoice's payments before sending any.
ALTER TABLE payment DROP COLUMN id;
ALTER TABLE payment DROP CONSTRAINT payment_document_id_ordinal_key;
ALTER TABLE payment ADD PRIMARY KEY (document_id, ordinal);

-- The number tells nearly all documents apart: compared first, the organisation's name is hardly ever looked at.
ALTER TABLE document DROP CONSTRAINT document_organisation_number_key;
ALTER TABLE document ADD UNIQUE (number, organisation);
