-- Sets the lease of each turn that still holds its token to `lease_s` from now (hand-over to a slow step, or back).
-- Returns the tokens that were still held.
create or replace function extend_leases(phones text[], tokens uuid[], lease_s double precision) returns setof uuid
language sql set enable_seqscan = off set enable_mergejoin = off as $$
    update turns set lease_until = clock_timestamp() + make_interval(secs => lease_s)
    where customer_phone = any (array(
        select customer_phone
        from (select * from turns where customer_phone = any (phones) order by customer_phone offset 0 for update) t
        where token = any (tokens)))
    returning token
$$;
