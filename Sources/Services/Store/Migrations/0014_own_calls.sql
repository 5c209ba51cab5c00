-- The governor took its own calls for somebody else's, and let its waiters look instead of waking them.
--
-- An answer's `X-MinLimit-Remaining` is compared with our own count, and a surplus counts as calls of others, for a
-- minute. Our count was of the moment in which the permit came back; the ledger had counted when it answered, and after
-- a burst dozens of calls leave the window between the two. Measured with four writers and a backlog: twelve of sixty
-- calls unused for a whole minute. Now everything counts as ours that the ledger can have counted at any moment of the
-- call: what was finished less than 60 seconds before it was taken.

-- Who waits for a place in flight is woken when one comes free, instead of looking every 25 ms. Nobody is told where
-- nobody waits: a notification takes a lock of the whole server's at commit.
CREATE FUNCTION tell_waiters(org text, moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM budget_waiter WHERE organisation = org AND until > moment) THEN
        PERFORM pg_notify('tillbridge.permits', current_schema() || ' ' || org);
    END IF;
END
$$;

-- Gives a permit back with what the answer told. A header that was missing is NULL.
--
-- Minute: `minute_left` says what the ledger has counted. Two bounds, because calls overlap: what we count (all that
-- was in the window at any moment of this call) covers at least what it has counted of ours, so a surplus over that is
-- certainly somebody else's; then the larger bound, without the calls that may have arrived after its answer was made,
-- is believed for a window.
--
-- Result: `good` (any answer of the ledger's), `failed` (network, 5xx), `offline` (503), `disconnected` (401, 403),
-- `unused` (the call was not made). Five failures in a row open the breaker, offline and disconnected at once. It waits
-- half to all of a pause that doubles: from 1 s to 30 s, 15 s to 5 min, 60 s to 10 min. Then one call probes.
CREATE OR REPLACE FUNCTION return_permit(
    org text, permit bigint, per_minute integer, per_day integer, app_minute integer, minute_left integer,
    day_left integer, app_left integer, result text, reason text, OUT breaker_state text
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    today date;
    rest budget%ROWTYPE;
    mine budget_call%ROWTYPE;
    at_most integer;
    at_least integer;
    app_used integer;
    tries integer;
    pause double precision;
BEGIN
    SELECT * INTO rest FROM budget WHERE organisation = org FOR UPDATE;
    moment := clock_timestamp();
    today := (moment AT TIME ZONE 'UTC')::date;
    IF result = 'unused' THEN
        DELETE FROM budget_call WHERE id = permit RETURNING * INTO mine;
        UPDATE budget SET day_calls = day_calls - CASE WHEN day = today AND mine.id IS NOT NULL THEN 1 ELSE 0 END,
                          breaker = CASE WHEN mine.is_probe AND breaker = 'half_open' THEN 'open' ELSE breaker END,
                          breaker_until = CASE WHEN mine.is_probe THEN moment ELSE breaker_until END
         WHERE organisation = org RETURNING breaker INTO breaker_state;
        PERFORM tell_waiters(org, moment);
        RETURN;
    END IF;
    UPDATE budget_call SET finished_at = moment WHERE id = permit RETURNING * INTO mine;

    IF minute_left IS NOT NULL AND per_minute > 0 AND mine.id IS NOT NULL THEN
        SELECT count(*),
               count(*) FILTER (WHERE id = permit
                                   OR (taken_at > moment - interval '60 seconds' AND finished_at <= mine.taken_at))
          INTO at_most, at_least
          FROM budget_call
         WHERE organisation = org AND coalesce(finished_at, moment) + interval '60 seconds' > mine.taken_at;
        IF per_minute - minute_left > at_most THEN
            rest.foreign_calls := per_minute - minute_left - at_least;
            rest.foreign_until := moment + interval '60 seconds';
        ELSIF per_minute - minute_left <= at_least THEN
            rest.foreign_calls := 0;
            rest.foreign_until := NULL;
        END IF;
    END IF;
    IF day_left IS NOT NULL AND per_day > 0 AND rest.day = today THEN
        rest.day_calls := greatest(rest.day_calls, per_day - day_left);
    END IF;
    IF app_left IS NOT NULL AND app_minute > 0 THEN
        SELECT coalesce(sum(calls), 0) INTO app_used FROM budget_second
         WHERE second > extract(epoch FROM coalesce(mine.taken_at, moment))::bigint - 62;
        IF app_minute - app_left > app_used THEN
            INSERT INTO budget (organisation, foreign_calls, foreign_until)
            VALUES ('*', app_minute - app_left - app_used, moment + interval '60 seconds')
            ON CONFLICT (organisation) DO UPDATE
               SET foreign_calls = excluded.foreign_calls, foreign_until = excluded.foreign_until;
        END IF;
    END IF;

    IF result = 'good' THEN
        rest.failures := 0;
        rest.breaker := 'closed';
        rest.breaker_until := NULL;
        rest.breaker_why := NULL;
    ELSIF rest.breaker = 'open' AND NOT coalesce(mine.is_probe, false) THEN
        -- An older call's failure: the breaker is open already, and one outage is not counted five times.
        NULL;
    ELSE
        rest.failures := least(rest.failures + 1, 1000);
        IF rest.breaker = 'half_open' OR result <> 'failed' OR rest.failures >= 5 THEN
            tries := least(20, rest.failures - CASE WHEN result = 'failed' THEN least(5, rest.failures) ELSE 1 END);
            pause := CASE result WHEN 'offline' THEN least(300, 15 * 2 ^ tries)
                                 WHEN 'disconnected' THEN least(600, 60 * 2 ^ tries)
                                 ELSE least(30, 2 ^ tries) END;
            rest.breaker := 'open';
            rest.breaker_until := moment + (0.5 + random() / 2) * pause * interval '1 second';
            rest.breaker_why := left(reason, 500);
        END IF;
    END IF;
    UPDATE budget SET foreign_calls = rest.foreign_calls, foreign_until = rest.foreign_until,
                      day_calls = rest.day_calls, failures = rest.failures, breaker = rest.breaker,
                      breaker_until = rest.breaker_until, breaker_why = rest.breaker_why
     WHERE organisation = org;
    breaker_state := rest.breaker;
    PERFORM tell_waiters(org, moment);
END
$$;

-- A suspect goes to the desk only if a worker died that had nothing else in hand: of several that died together, with
-- copies of one message among them, nobody knows which it was. A trial counts as a crash once its worker is gone.
ALTER TABLE suspect
    ADD COLUMN alone integer NOT NULL DEFAULT 0,
    ADD COLUMN trial_by text,
    ADD COLUMN trial_alone boolean NOT NULL DEFAULT false;

-- The audit keeps one row for all documents that moved alike in one statement: a row for each would cost the database
-- 8.5 µs a move more (measured: 100,000 moves in fifties, 1.03 s to 0.17 s), a tenth of the drain. Here it is as one row
-- a move: which document, from where to where, who, when, why, and Xero's correlation id.
CREATE VIEW audit_move AS
    SELECT m.document, a.at, a.who, a.organisation, a.before, a.after, a.is_closed, a.why, a.correlation_id, a.id AS audit_id
      FROM audit AS a CROSS JOIN LATERAL unnest(a.documents) AS m (document);
