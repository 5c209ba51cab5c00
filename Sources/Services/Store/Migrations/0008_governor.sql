-- The governor: priorities, a reserve, the answers' own headers, the app's limit, and a circuit breaker.
--
-- Writers of an older version go on with the function of migration 0002, which has other parameters; both lock the same
-- row and read the same calls.

ALTER TABLE budget
    -- Calls that others make on our allowance, as the answers' headers showed; forgotten after a window.
    ADD COLUMN foreign_calls integer NOT NULL DEFAULT 0,
    ADD COLUMN foreign_until timestamptz,
    ADD COLUMN breaker text NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open')),
    -- Failures in a row.
    ADD COLUMN failures integer NOT NULL DEFAULT 0,
    -- Open: until the next probe. Half-open: until the probe counts as lost.
    ADD COLUMN breaker_until timestamptz,
    ADD COLUMN breaker_why text;

ALTER TABLE budget_call ADD COLUMN is_probe boolean NOT NULL DEFAULT false;

-- Who waits for a permit, and until when it will have asked again. A killed writer's row blocks nobody after that.
CREATE TABLE budget_waiter (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation text        NOT NULL,
    priority     smallint    NOT NULL,
    since        timestamptz NOT NULL,
    until        timestamptz NOT NULL
);
CREATE INDEX budget_waiter_by_organisation ON budget_waiter (organisation, until);

-- Calls of all organisations, by the second they were taken in: the app's own minute.
CREATE TABLE budget_second (
    second bigint  PRIMARY KEY,
    calls  integer NOT NULL
);

-- Messages that were in hand when their worker died, and how often that happened since they are watched.
CREATE TABLE suspect (
    queue   text        NOT NULL,
    message text        NOT NULL,
    crashes integer     NOT NULL,
    since   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (queue, message)
);

-- Posting (invoices, payments, contacts, items: 0 to 3) that has waited longer than a window goes first, whatever
-- it is: else a contact would wait until the last invoice of a backlog is sent. What only fills idle budget (4 and
-- up) never rises.
CREATE FUNCTION budget_rank(priority integer, since timestamptz, moment timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN priority <= 3 AND since < moment - interval '90 seconds' THEN -1 ELSE priority END
$$;

-- Takes one permit, or says how long to wait and why. 0 stands for no limit.
--
-- A call counts from when it was taken until 60 seconds after it finished (see migration 0002), for a rolling and for a
-- fixed minute. `kept`: calls a minute this request must leave free. Low priorities (4 and up) also leave one place in
-- flight and a fifth of the day, so that what comes later and matters more finds room.
CREATE FUNCTION take_permit(
    org text, waiter bigint, priority integer, per_minute integer, in_flight integer, per_day integer,
    app_minute integer, kept integer, call_max interval,
    OUT permit bigint, OUT waiter_id bigint, OUT wait_ms bigint, OUT why text, OUT minute_left integer,
    OUT breaker_state text
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    today date;
    rest budget%ROWTYPE;
    used integer;
    flying integer;
    others integer;
    app_used integer;
    is_low boolean := priority >= 4;
    day_max integer := per_day - CASE WHEN priority >= 4 THEN per_day / 5 ELSE 0 END;
    flight_max integer := greatest(1, in_flight - CASE WHEN priority >= 4 THEN 1 ELSE 0 END);
    asked timestamptz;
    room integer;
BEGIN
    INSERT INTO budget (organisation) VALUES (org) ON CONFLICT DO NOTHING;
    SELECT * INTO rest FROM budget WHERE organisation = org FOR UPDATE;
    moment := clock_timestamp();
    today := (moment AT TIME ZONE 'UTC')::date;
    breaker_state := rest.breaker;
    waiter_id := waiter;
    SELECT since INTO asked FROM budget_waiter WHERE id = waiter;
    asked := coalesce(asked, moment);

    DELETE FROM budget_call
     WHERE organisation = org AND taken_at < moment - interval '60 seconds' - call_max - interval '60 seconds';
    SELECT count(*) FILTER (WHERE until > moment),
           count(*) FILTER (WHERE finished_at IS NULL AND taken_at > moment - call_max)
      INTO used, flying
      FROM (SELECT finished_at, taken_at,
                   coalesce(finished_at, least(taken_at + call_max, moment)) + interval '60 seconds' AS until
              FROM budget_call WHERE organisation = org) AS recent;
    others := CASE WHEN rest.foreign_until > moment THEN rest.foreign_calls ELSE 0 END;
    minute_left := per_minute - used - others;
    -- A reserve that is larger than the limit still leaves one call: else nothing would ever be sent.
    room := greatest(per_minute - kept, 1) - used - others;

    IF rest.parked_until > moment THEN
        why := 'parked';
        wait_ms := ceil(extract(epoch FROM rest.parked_until - moment) * 1000);
    ELSIF rest.breaker <> 'closed' AND rest.breaker_until > moment THEN
        why := 'breaker';
        wait_ms := CASE WHEN rest.breaker = 'half_open' THEN 250
                        ELSE ceil(extract(epoch FROM rest.breaker_until - moment) * 1000) END;
    ELSIF per_day > 0 AND rest.day = today AND rest.day_calls >= day_max THEN
        why := 'day';
        wait_ms := ceil(extract(epoch FROM (today + 1)::timestamp AT TIME ZONE 'UTC' - moment) * 1000);
    ELSIF EXISTS (SELECT FROM budget_waiter AS w
                   WHERE w.organisation = org AND w.until > moment AND w.id IS DISTINCT FROM waiter
                     AND budget_rank(w.priority, w.since, moment) < budget_rank(take_permit.priority, asked, moment))
    THEN
        why := 'priority';
        wait_ms := 100;
    ELSIF in_flight > 0 AND flying >= flight_max THEN
        why := 'in_flight';
        wait_ms := 25;
    ELSIF per_minute > 0 AND room <= 0 THEN
        why := 'minute';
        -- When the call that makes room leaves the window. Those in flight leave a minute from now at the earliest, and
        -- so do others' calls, of which we know no better.
        SELECT greatest(5, ceil(extract(epoch FROM until - moment) * 1000)) INTO wait_ms
          FROM (SELECT coalesce(finished_at, moment) + interval '60 seconds' AS until
                  FROM budget_call WHERE organisation = org) AS recent
         WHERE until > moment ORDER BY until OFFSET -room LIMIT 1;
        IF others > 0 THEN
            wait_ms := least(wait_ms, ceil(extract(epoch FROM rest.foreign_until - moment) * 1000));
        END IF;
        wait_ms := greatest(5, coalesce(wait_ms, 1000));
    ELSE
        IF app_minute > 0 THEN
            -- Two seconds more than the window: a second is counted whole, and a call arrives after it was taken.
            SELECT coalesce(sum(calls), 0) INTO app_used FROM budget_second
             WHERE second > extract(epoch FROM moment)::bigint - 62;
            SELECT app_used + coalesce(sum(foreign_calls), 0) INTO app_used FROM budget
             WHERE organisation = '*' AND foreign_until > moment;
        END IF;
        IF app_used >= app_minute THEN
            why := 'app';
            wait_ms := 500;
        END IF;
    END IF;

    IF why IS NOT NULL THEN
        IF waiter IS NOT NULL THEN
            UPDATE budget_waiter
               SET until = moment + least(wait_ms, 5000) * interval '1 millisecond' + interval '2 seconds'
             WHERE id = waiter;
            IF NOT FOUND THEN waiter := NULL; END IF;
        END IF;
        IF waiter IS NULL THEN
            DELETE FROM budget_waiter WHERE organisation = org AND until < moment - interval '10 minutes';
            INSERT INTO budget_waiter (organisation, priority, since, until)
            VALUES (org, priority, asked,
                    moment + least(wait_ms, 5000) * interval '1 millisecond' + interval '2 seconds')
            RETURNING id INTO waiter_id;
        END IF;
        RETURN;
    END IF;

    DELETE FROM budget_waiter WHERE id = waiter;
    waiter_id := NULL;
    INSERT INTO budget_call (organisation, taken_at, is_probe) VALUES (org, moment, rest.breaker <> 'closed')
    RETURNING id INTO permit;
    UPDATE budget SET day = today, day_calls = CASE WHEN day = today THEN day_calls + 1 ELSE 1 END,
                      parked_until = NULL, parked_why = NULL,
                      breaker = CASE WHEN breaker = 'closed' THEN 'closed' ELSE 'half_open' END,
                      -- A probe that is never told of was its writer's last call: the next need not wait for long.
                      breaker_until = CASE WHEN breaker = 'closed' THEN NULL
                                           ELSE moment + least(call_max, interval '20 seconds') END
     WHERE organisation = org RETURNING breaker INTO breaker_state;
    IF app_minute > 0 THEN
        INSERT INTO budget_second AS s (second, calls) VALUES (extract(epoch FROM moment)::bigint, 1)
        ON CONFLICT (second) DO UPDATE SET calls = s.calls + 1;
        IF permit % 100 = 0 THEN
            DELETE FROM budget_second WHERE second < extract(epoch FROM moment)::bigint - 300;
        END IF;
    END IF;
    minute_left := minute_left - 1;
    wait_ms := 0;
END
$$;

-- Gives a permit back with what the answer told. A header that was missing is NULL.
--
-- Minute: `minute_left` says what the ledger has counted. Two bounds, because calls overlap: what we count covers at
-- least what it has counted of ours, so a surplus over that is certainly somebody else's; then the larger bound, without
-- the calls that may have arrived after its answer was made, is believed for a window.
--
-- Result: `good` (any answer of the ledger's), `failed` (network, 5xx), `offline` (503), `disconnected` (401, 403),
-- `unused` (the call was not made). Five failures in a row open the breaker, offline and disconnected at once. It waits
-- half to all of a pause that doubles: from 1 s to 30 s, 15 s to 5 min, 60 s to 10 min. Then one call probes.
CREATE FUNCTION return_permit(
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
        RETURN;
    END IF;
    UPDATE budget_call SET finished_at = moment WHERE id = permit RETURNING * INTO mine;

    IF minute_left IS NOT NULL AND per_minute > 0 AND mine.id IS NOT NULL THEN
        SELECT count(*),
               count(*) FILTER (WHERE id = permit
                                   OR (taken_at > moment - interval '60 seconds' AND finished_at <= mine.taken_at))
          INTO at_most, at_least
          FROM budget_call
         WHERE organisation = org AND coalesce(finished_at, moment) + interval '60 seconds' > moment;
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
         WHERE second > extract(epoch FROM moment)::bigint - 62;
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
END
$$;
