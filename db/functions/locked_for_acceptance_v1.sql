-- Those of the customers of whom another transaction holds a row that `accept_messages` would have to wait for: of
-- turns or customers. Waits for nothing itself, and its own locks end with the statement. A customer may come
-- twice.
create or replace function locked_for_acceptance(phones text[]) returns setof text
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
begin
    return query
    select customer_phone from turns
    where customer_phone = any (phones) and customer_phone <> all (array(
        select customer_phone from turns where customer_phone = any (phones) for update skip locked))
    union all
    select customer_phone from customers
    where customer_phone = any (phones) and customer_phone <> all (array(
        select customer_phone from customers where customer_phone = any (phones) for no key update skip locked));
end
$$;
