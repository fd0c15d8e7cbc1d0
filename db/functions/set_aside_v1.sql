-- For turns that could not go on because somebody else holds rows of their customers. Waits for nothing: does what it
-- can with the rows that are free. Takes back the attempt of those that say so, since it was not their fault, and lets
-- their leases end within `lease_s` (null: as they are). runs: {"lease_s", "turns": [{"customer_phone", "token",
-- "message_id": whose attempt was counted, or null}]}.
create or replace function set_aside(runs jsonb) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    phones text[] := array(select r ->> 'customer_phone' from jsonb_array_elements(runs -> 'turns') r);
    free text[] := array(select customer_phone from turns where customer_phone = any (phones)
                         order by customer_phone for update skip locked);
    held text[] := array(select customer_phone from (select * from turns where customer_phone = any (free) offset 0) t
                         where token = any (array(select (r ->> 'token')::uuid
                                                  from jsonb_array_elements(runs -> 'turns') r)));
    attempted bigint[] := array(
        select (r ->> 'message_id')::bigint from jsonb_array_elements(runs -> 'turns') r
        -- Nobody can have taken over a turn whose row is locked.
        where (r ->> 'customer_phone' = any (held) or r ->> 'customer_phone' <> all (free))
          and (select state from messages where id = (r ->> 'message_id')::bigint) = 'accepted');
begin
    update turns set lease_until = least(
        lease_until, clock_timestamp() + make_interval(secs => (runs ->> 'lease_s')::double precision))
    where customer_phone = any (held);
    update messages set attempts = greatest(attempts - 1, 0)
    where id = any (array(select id from messages where id = any (attempted) for no key update skip locked));
end
$$;
