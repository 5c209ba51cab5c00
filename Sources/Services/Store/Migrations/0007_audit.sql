-- Every move of every document, written down by the database itself: no program can move a document and forget to say
-- so, and none can make a move that is not in the list. The list here and `DocumentState` are compared by a test.

CREATE TABLE audit (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Worker, host and process.
    who            text        NOT NULL,
    organisation   text        NOT NULL,
    -- Null for a document just made.
    before         text,
    after          text        NOT NULL,
    -- Nothing more is done by itself: paid, or refused.
    is_closed      boolean     NOT NULL,
    why            text,
    -- Xero's own name for the call that led to it: what its support asks for.
    correlation_id text,
    -- One row for all that moved alike in one statement.
    documents      bigint[]    NOT NULL
);
CREATE INDEX audit_by_time ON audit (organisation, at);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

CREATE FUNCTION is_legal_move(before text, after text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT before = after OR (before, after) IN (
        -- A claim and its sending are one statement where nothing waits between them.
        ('ready', 'claimed'), ('ready', 'sent'), ('ready', 'refused'),
        ('claimed', 'sent'), ('claimed', 'ready'), ('claimed', 'refused'),
        ('sent', 'written'), ('sent', 'refused'), ('sent', 'uncertain'), ('sent', 'ready'),
        ('uncertain', 'sent'), ('uncertain', 'written'), ('uncertain', 'ready'), ('uncertain', 'refused'),
        ('refused', 'ready')
    )
$$;

-- Once a statement, over all rows it changed: a row trigger would cost as much as the row.
CREATE FUNCTION document_moved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move record;
    now_why text := nullif(current_setting('tillbridge.why', true), '');
    correlation text := nullif(current_setting('tillbridge.correlation', true), '');
BEGIN
    FOR move IN
        SELECT n.organisation, o.state AS before, n.state AS after, n.closed_at IS NOT NULL AS is_closed,
               coalesce(now_why, n.cause) AS why, array_agg(n.id ORDER BY n.id) AS ids
          FROM old_rows AS o JOIN new_rows AS n USING (id)
         WHERE o.state <> n.state OR (o.closed_at IS NULL) <> (n.closed_at IS NULL) OR o.fencing <> n.fencing
         GROUP BY 1, 2, 3, 4, 5
    LOOP
        IF NOT is_legal_move(move.before, move.after) THEN
            RAISE EXCEPTION 'document % cannot move from % to %', move.ids[1], move.before, move.after
                USING ERRCODE = 'check_violation', CONSTRAINT = 'document_legal_move', TABLE = 'document';
        END IF;
        INSERT INTO audit (who, organisation, before, after, is_closed, why, correlation_id, documents)
        VALUES (current_setting('application_name'), move.organisation, move.before, move.after, move.is_closed,
                move.why, correlation, move.ids);
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER document_moved AFTER UPDATE ON document
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION document_moved();

CREATE FUNCTION document_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows WHERE state <> 'ready') THEN
        RAISE EXCEPTION 'a document begins in the state ready'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'document_legal_move', TABLE = 'document';
    END IF;
    INSERT INTO audit (who, organisation, after, is_closed, why, documents)
    SELECT current_setting('application_name'), organisation, 'ready', false,
           nullif(current_setting('tillbridge.why', true), ''), array_agg(id ORDER BY id)
      FROM new_rows GROUP BY organisation;
    RETURN NULL;
END
$$;
CREATE TRIGGER document_made AFTER INSERT ON document
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION document_made();

-- Which answer an attempt got, in Xero's own words for it.
ALTER TABLE attempt ADD COLUMN correlation_id text;
