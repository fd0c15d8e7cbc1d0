-- Claims anew the turns whose customers have been quiet for long enough, with all that they have written meanwhile; one
-- whose customer has gone on writing waits on.
-- options: {"quiet_s", "longest_s", "lease_s", "max_messages", "max_chars", "limit", "late_s": only those that should have
-- gone on so long ago}.
-- Returns {"turns": [those claimed, with "quiet": true, "waited" as it was given, and "accepted_at_s" and the step
-- "quiet" counted from their first message], "next_s": seconds until the next one may be due, null where none waits}.
create or replace function claim_quiet(options jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    -- A value, which an index can be asked for; a volatile function it cannot.
    moment timestamptz := clock_timestamp();
    late timestamptz := moment - make_interval(secs => (options ->> 'late_s')::double precision);
    -- It waits for no lock, so it may lock in this order.
    due text[] := array(
        select customer_phone from turns where quiet_until <= late
        order by quiet_until limit (options ->> 'limit')::integer for update skip locked);
    writing text[];
    until timestamptz[];
    behind text[];
    claimed jsonb := '[]';
    next_at timestamptz;
begin
    if due <> '{}' then
        select array_agg(customer_phone), array_agg(quiet_at) into writing, until
        from (select * from turns where customer_phone = any (due) offset 0) t
        cross join lateral quiet_at(customer_phone, (options ->> 'quiet_s')::double precision,
                                    (options ->> 'longest_s')::double precision,
                                    (options ->> 'max_messages')::integer) quiet_at
        where token = quiet_token and quiet_at > moment;
        update turns t set quiet_until = w.quiet_at from unnest(writing, until) w (phone, quiet_at)
        where t.customer_phone = any (writing) and t.customer_phone = w.phone;

        due := array(select phone from unnest(due) phone where phone <> all (coalesce(writing, '{}')));
        -- One whose token is another by now belongs to somebody else.
        with ended as (
            update turns t
            set quiet_token = null, quiet_until = null,
                token = case when token = quiet_token then null else token end,
                lease_until = case when token = quiet_token then null else lease_until end
            where customer_phone = any (due)
            returning customer_phone, token, quiet_waited
        )
        select array_agg(customer_phone order by customer_phone),
               array_agg(customer_phone) filter (where quiet_waited)
        into due, behind from ended where token is null;
        select coalesce(jsonb_agg(turn || jsonb_build_object(
                   'quiet', true, 'waited', turn ->> 'customer_phone' = any (coalesce(behind, '{}')),
                   'accepted_at_s', extract(epoch from began_at),
                   'steps_ms', jsonb_build_object('quiet', round(extract(epoch from moment - began_at) * 1000, 1)))), '[]')
        into claimed
        from (select turn, (select accepted_at from messages
                            where id = (turn #>> '{messages,0,id}')::bigint) as began_at
              from claim_turns(due, (options ->> 'lease_s')::double precision, (options ->> 'max_messages')::integer,
                               (options ->> 'max_chars')::integer, false) as turn offset 0) claim;
    end if;
    select quiet_until into next_at from turns where quiet_until is not null order by quiet_until limit 1;
    return jsonb_build_object('turns', claimed, 'next_s', extract(epoch from next_at - clock_timestamp()));
end
$$;
