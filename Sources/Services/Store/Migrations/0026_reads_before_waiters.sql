-- A look-up waited behind every invoice that waited, for up to a window, although calls were kept free for look-ups: who
-- waits for the lock date or for a contact holds documents meanwhile.
--
-- Now a look-up of posting's (priorities 0 to 3) passes those that wait as long as fewer of the last minute's calls were
-- look-ups than are kept for them. What it takes is still a call like any other: of the minute, of the day, and a place
-- in flight. Writers of an older version go on with the function of migration 0008; their calls count as no look-ups.
ALTER TABLE budget_call ADD COLUMN is_read boolean NOT NULL DEFAULT false;

-- Takes one permit, or says how long to wait and why. 0 stands for no limit.
--
-- A call counts from when it was taken until 60 seconds after it finished (see migration 0002), for a rolling and for a
-- fixed minute. `kept`: calls a minute this request must leave free. `kept_reads`: calls a minute that are kept for
-- look-ups. Low priorities (4 and up) also leave one place in flight and a fifth of the day, so that what comes later
-- and matters more finds room.
CREATE FUNCTION take_permit(
    org text, waiter bigint, priority integer, per_minute integer, in_flight integer, per_day integer,
    app_minute integer, kept integer, call_max interval, is_read boolean, kept_reads integer,
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
    reads integer;
    is_reserved boolean;
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
           count(*) FILTER (WHERE finished_at IS NULL AND taken_at > moment - call_max),
           count(*) FILTER (WHERE until > moment AND recent.is_read)
      INTO used, flying, reads
      FROM (SELECT c.finished_at, c.taken_at, c.is_read,
                   coalesce(c.finished_at, least(c.taken_at + call_max, moment)) + interval '60 seconds' AS until
              FROM budget_call AS c WHERE c.organisation = org) AS recent;
    is_reserved := take_permit.is_read AND NOT is_low AND reads < kept_reads;
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
    ELSIF NOT is_reserved AND EXISTS (
                  SELECT FROM budget_waiter AS w
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
    INSERT INTO budget_call (organisation, taken_at, is_probe, is_read)
    VALUES (org, moment, rest.breaker <> 'closed', take_permit.is_read)
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
