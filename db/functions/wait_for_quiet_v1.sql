-- Lets turns that need a model wait until their customers have written nothing for `quiet_s`, at most `longest_s` after
-- the first message that waits. A turn does not wait whose customer has been quiet for so long already (but for `least_s`,
-- which is not worth it), or has written all that a turn can hold.
-- runs: {"quiet_s", "longest_s", "least_s", "lease_s", "max_messages", "turns": [{"customer_phone", "token",
-- "waited": comes back with the turn}]}.
-- Returns the tokens that wait from now on, under a lease that ends `lease_s` after the wait.
create or replace function wait_for_quiet(runs jsonb) returns setof uuid
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    held text[] := array(
        select customer_phone
        from (select * from turns
              where customer_phone = any (array(
                  select r ->> 'customer_phone' from jsonb_array_elements(runs -> 'turns') r))
              order by customer_phone offset 0 for update) t
        where token = any (array(select (r ->> 'token')::uuid from jsonb_array_elements(runs -> 'turns') r)));
    worth_it timestamptz := clock_timestamp() + make_interval(secs => (runs ->> 'least_s')::double precision);
    behind uuid[] := array(
        select (r ->> 'token')::uuid from jsonb_array_elements(runs -> 'turns') r where (r ->> 'waited')::boolean);
    waiting text[];
    until timestamptz[];
begin
    select array_agg(phone), array_agg(quiet_at) into waiting, until
    from unnest(held) phone
    cross join lateral quiet_at(phone, (runs ->> 'quiet_s')::double precision, (runs ->> 'longest_s')::double precision,
                                (runs ->> 'max_messages')::integer) quiet_at
    where quiet_at > worth_it;
    return query
        update turns t
        set quiet_token = t.token, quiet_until = w.quiet_at, quiet_waited = t.token = any (behind),
            lease_until = w.quiet_at + make_interval(secs => (runs ->> 'lease_s')::double precision)
        from unnest(waiting, until) w (phone, quiet_at)
        where t.customer_phone = any (waiting) and t.customer_phone = w.phone
        returning t.token;
end
$$;
