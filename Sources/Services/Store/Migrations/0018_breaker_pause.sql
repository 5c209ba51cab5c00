-- The breaker's pause doubled with every failure in a row, also with those that had opened it: five lost connections and
-- then one answer of an organisation that was offline for a second made it rest for up to five minutes. Found by chaos
-- (seed 39). It doubles with each probe that fails, and with nothing else.
ALTER TABLE budget ADD COLUMN probes_failed integer NOT NULL DEFAULT 0;

-- Gives a permit back with what the answer told, as in migration 0014, but for the pause.
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
        rest.probes_failed := 0;
        rest.breaker := 'closed';
        rest.breaker_until := NULL;
        rest.breaker_why := NULL;
    ELSIF rest.breaker = 'open' AND NOT coalesce(mine.is_probe, false) THEN
        -- An older call's failure: the breaker is open already, and one outage is not counted five times.
        NULL;
    ELSE
        rest.failures := least(rest.failures + 1, 1000);
        IF rest.breaker = 'half_open' OR result <> 'failed' OR rest.failures >= 5 THEN
            rest.probes_failed := CASE WHEN rest.breaker = 'closed' THEN 0 ELSE least(rest.probes_failed + 1, 20) END;
            pause := CASE result WHEN 'offline' THEN least(300, 15 * 2 ^ rest.probes_failed)
                                 WHEN 'disconnected' THEN least(600, 60 * 2 ^ rest.probes_failed)
                                 ELSE least(30, 2 ^ rest.probes_failed) END;
            rest.breaker := 'open';
            rest.breaker_until := moment + (0.5 + random() / 2) * pause * interval '1 second';
            rest.breaker_why := left(reason, 500);
        END IF;
    END IF;
    UPDATE budget SET foreign_calls = rest.foreign_calls, foreign_until = rest.foreign_until,
                      day_calls = rest.day_calls, failures = rest.failures,
                      probes_failed = rest.probes_failed, breaker = rest.breaker,
                      breaker_until = rest.breaker_until, breaker_why = rest.breaker_why
     WHERE organisation = org;
    breaker_state := rest.breaker;
    PERFORM tell_waiters(org, moment);
END
$$;
