-- Takes one permit of an organisation's allowance, or says how long to wait.
--
-- Xero counts a call at some moment between its start and its end, which we cannot see. So a call counts here from when
-- it was taken until 60 seconds after it *finished*: any 60 seconds of Xero's then hold at most the limit, whatever kind
-- of window it uses. A permit that is never given back (its writer was killed) counts as finished after `call_max`.
-- The row lock on budget makes the writers take turns; 0 stands for no limit.
CREATE FUNCTION take_permit(
    org text, per_minute integer, in_flight integer, per_day integer, call_max interval,
    OUT permit bigint, OUT wait_ms bigint
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    today date;
    rest budget%ROWTYPE;
    used integer;
    flying integer;
    oldest timestamptz;
BEGIN
    INSERT INTO budget (organisation) VALUES (org) ON CONFLICT DO NOTHING;
    SELECT * INTO rest FROM budget WHERE organisation = org FOR UPDATE;
    moment := clock_timestamp();
    today := (moment AT TIME ZONE 'UTC')::date;
    IF rest.parked_until > moment THEN
        wait_ms := ceil(extract(epoch FROM rest.parked_until - moment) * 1000);
        RETURN;
    END IF;
    IF per_day > 0 AND rest.day = today AND rest.day_calls >= per_day THEN
        wait_ms := ceil(extract(epoch FROM (today + 1)::timestamp AT TIME ZONE 'UTC' - moment) * 1000);
        RETURN;
    END IF;
    DELETE FROM budget_call
     WHERE organisation = org AND taken_at < moment - interval '60 seconds' - call_max - interval '60 seconds';
    SELECT count(*) FILTER (WHERE until > moment),
           count(*) FILTER (WHERE finished_at IS NULL AND taken_at > moment - call_max)
      INTO used, flying
      FROM (SELECT finished_at, taken_at,
                   coalesce(finished_at, least(taken_at + call_max, moment)) + interval '60 seconds' AS until
              FROM budget_call WHERE organisation = org) AS recent;
    IF in_flight > 0 AND flying >= in_flight THEN
        wait_ms := 25;
        RETURN;
    END IF;
    IF per_minute > 0 AND used >= per_minute THEN
        -- When the call that makes room leaves the window; those in flight leave a minute from now at the earliest.
        SELECT until INTO oldest
          FROM (SELECT coalesce(finished_at, moment) + interval '60 seconds' AS until
                  FROM budget_call WHERE organisation = org) AS recent
         WHERE until > moment ORDER BY until OFFSET used - per_minute LIMIT 1;
        wait_ms := greatest(5, ceil(extract(epoch FROM oldest - moment) * 1000));
        RETURN;
    END IF;
    INSERT INTO budget_call (organisation, taken_at) VALUES (org, moment) RETURNING id INTO permit;
    UPDATE budget SET day = today, day_calls = CASE WHEN day = today THEN day_calls + 1 ELSE 1 END,
                      parked_until = NULL, parked_why = NULL
     WHERE organisation = org;
    wait_ms := 0;
END
$$;
