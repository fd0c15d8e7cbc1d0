-- Those of the customers, each by any of their ids, of whom another transaction holds a row that `accept_messages` would
-- have to wait for: of turns or customers. Waits for nothing itself, and its own locks end with the statement. A customer
-- may come twice.
create or replace function locked_for_acceptance(phones text[]) returns setof text
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    meant constant text[] := array(select distinct customer_of(phone) from unnest(phones) phone);
begin
    return query
    select phone from unnest(phones) phone where customer_of(phone) = any (array(
        select customer_phone from turns
        where customer_phone = any (meant) and customer_phone <> all (array(
            select customer_phone from turns where customer_phone = any (meant) for update skip locked))
        union all
        select customer_phone from customers
        where customer_phone = any (meant) and customer_phone <> all (array(
            select customer_phone from customers where customer_phone = any (meant) for no key update skip locked))));
end
$$;
