-- Why each move was made, also where nobody said so: an ordinary move has an ordinary reason, which follows from the
-- row before and after. A sentence that was given (`tillbridge.why`) and a cause that the move itself brought come first.

CREATE FUNCTION ordinary_reason(
    before text, after text, was_closed boolean, is_closed boolean, was_held boolean, is_answered boolean
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN was_closed AND NOT is_closed THEN 'something is left to do after all: changed, or sent again from the desk'
        WHEN before = after AND NOT was_closed AND is_closed THEN 'nothing is left to pay'
        ELSE CASE before || ' ' || after
            WHEN 'ready claimed' THEN 'claimed, to be sent'
            WHEN 'ready sent' THEN 'key and bytes are stored, to be sent'
            WHEN 'claimed sent' THEN 'key and bytes are stored, to be sent'
            WHEN 'uncertain sent' THEN 'it does not stand in Xero: key and bytes are stored, to be sent again'
            WHEN 'sent written' THEN
                CASE WHEN is_answered THEN 'Xero accepted it' ELSE 'it stands in Xero' END
                || CASE WHEN is_closed THEN ', nothing is left to pay' ELSE '' END
            WHEN 'uncertain written' THEN 'it stands in Xero under its number'
            WHEN 'sent uncertain' THEN 'the outcome of its call is unknown'
            WHEN 'claimed ready' THEN 'let go of before it was sent'
            WHEN 'sent ready' THEN 'not taken for a limit: nothing happened'
            WHEN 'uncertain ready' THEN 'it does not stand in Xero'
            WHEN 'ready ready' THEN 'its order changed before it was sent'
            WHEN 'written voided' THEN 'made void in Xero'
            ELSE CASE
                WHEN before <> after THEN before || ' became ' || after
                WHEN was_held THEN 'taken over: the lease of its writer ran out'
                ELSE 'taken up again after it was put off'
            END
        END
    END
$$;

-- As before, but for `why`. The reason is made once a group, not once a row: rows that move alike have the same.
CREATE OR REPLACE FUNCTION document_moved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move record;
    now_why text := nullif(current_setting('tillbridge.why', true), '');
    correlation text := nullif(current_setting('tillbridge.correlation', true), '');
BEGIN
    FOR move IN
        SELECT n.organisation, o.state AS before, n.state AS after, o.closed_at IS NOT NULL AS was_closed,
               n.closed_at IS NOT NULL AS is_closed, o.state = n.state AND o.claimed_by IS NOT NULL AS was_held,
               CASE WHEN n.state = 'refused' OR n.cause IS DISTINCT FROM o.cause THEN n.cause END AS cause,
               CASE WHEN n.state IN ('withdrawn', 'voided') OR (o.closed_at IS NOT NULL AND n.closed_at IS NULL)
                    THEN n.reason END AS reason,
               array_agg(n.id ORDER BY n.id) AS ids
          FROM old_rows AS o JOIN new_rows AS n USING (id)
         WHERE o.state <> n.state OR (o.closed_at IS NULL) <> (n.closed_at IS NULL) OR o.fencing <> n.fencing
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    LOOP
        IF NOT is_legal_move(move.before, move.after) THEN
            RAISE EXCEPTION 'document % cannot move from % to %', move.ids[1], move.before, move.after
                USING ERRCODE = 'check_violation', CONSTRAINT = 'document_legal_move', TABLE = 'document';
        END IF;
        INSERT INTO audit (who, organisation, before, after, is_closed, why, correlation_id, documents)
        VALUES (current_setting('application_name'), move.organisation, move.before, move.after, move.is_closed,
                coalesce(now_why, move.cause, move.reason, ordinary_reason(
                    move.before, move.after, move.was_closed, move.is_closed, move.was_held, correlation IS NOT NULL)),
                correlation, move.ids);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION document_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows WHERE state <> 'ready') THEN
        RAISE EXCEPTION 'a document begins in the state ready'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'document_legal_move', TABLE = 'document';
    END IF;
    INSERT INTO audit (who, organisation, after, is_closed, why, documents)
    SELECT current_setting('application_name'), organisation, 'ready', false,
           coalesce(nullif(current_setting('tillbridge.why', true), ''), reason, 'made of what the till holds'),
           array_agg(id ORDER BY id)
      FROM new_rows GROUP BY organisation, 5;
    RETURN NULL;
END
$$;
