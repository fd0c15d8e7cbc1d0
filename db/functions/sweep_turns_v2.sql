-- Claims again the turns whose lease has ended, one message each. options: {"lease_s", "limit", "locked_lease_s"}.
-- A turn that holds a token but has nothing to answer is set free. One that could not commit, because another
-- transaction holds rows of its customer, is not started: it would ask a model in vain. Returns one JSON object per turn
-- claimed, and {"customer_phone", "locked": true} for each that is locked, whose lease goes on for `locked_lease_s`.
create or replace function sweep_turns(options jsonb) returns setof jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    -- A value, which an index can be asked for; a volatile function it cannot.
    moment timestamptz := clock_timestamp();
    most integer := (options ->> 'limit')::integer;
    -- An intake of before does not name it, and does not know of locked customers.
    locked_lease_s double precision := coalesce((options ->> 'locked_lease_s')::double precision, 5);
    overdue text[];
    locked text[];
begin
    -- Locked rows do not count, or a hundred of them would keep the sweep from all others. It waits for none, so it
    -- may lock in this order.
    overdue := array(
        select customer_phone from turns where token is not null and lease_until <= moment
        order by lease_until limit most for update skip locked);
    locked := array(select locked_for_commit(overdue));
    update turns set lease_until = moment + make_interval(secs => locked_lease_s)
    where customer_phone = any (locked);
    if cardinality(overdue) < most then
        locked := locked || array(
            select customer_phone from turns where token is not null and lease_until <= moment
              and customer_phone <> all (overdue)
            order by lease_until limit most);
    end if;
    overdue := array(select phone from unnest(overdue) phone where phone <> all (locked) order by 1);
    update turns set token = null, lease_until = null, swept = false where customer_phone = any (overdue);
    return query select * from claim_turns(overdue, (options ->> 'lease_s')::double precision, 1, 0, true);
    return query select jsonb_build_object('customer_phone', phone, 'locked', true) from unnest(locked) phone
        where options ? 'locked_lease_s';
end
$$;
