-- Sets the lease of each turn that still holds its token to `lease_s` from now (hand-over to a slow step, or back).
-- Returns the tokens that were still held.
create or replace function extend_leases(phones text[], tokens uuid[], lease_s double precision) returns setof uuid
language sql as $$
    with held as (
        select t.customer_phone from turns t
        join unnest(phones, tokens) as given (phone, token) on given.phone = t.customer_phone and given.token = t.token
        order by t.customer_phone for update of t
    )
    update turns t set lease_until = clock_timestamp() + make_interval(secs => lease_s)
    from held where held.customer_phone = t.customer_phone
    returning t.token
$$;
