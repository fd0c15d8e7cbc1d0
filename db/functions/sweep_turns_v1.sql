-- Claims again the turns whose lease has ended, one message each. options: {"lease_s", "limit"}.
-- A turn that holds a token but has nothing to answer is set free. Returns one JSON object per turn claimed.
create or replace function sweep_turns(options jsonb) returns setof jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    -- A value, which an index can be asked for; a volatile function it cannot.
    moment timestamptz := clock_timestamp();
    overdue text[];
begin
    overdue := array(
        select customer_phone from turns
        where token is not null and lease_until <= moment
          and customer_phone = any (array(
              select customer_phone from turns where token is not null and lease_until <= moment
              order by lease_until limit (options ->> 'limit')::integer))
        order by customer_phone for update skip locked);
    update turns set token = null, lease_until = null, swept = false where customer_phone = any (overdue);
    return query select * from claim_turns(overdue, (options ->> 'lease_s')::double precision, 1, 0, true);
end
$$;
