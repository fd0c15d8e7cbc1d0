-- Places the orders of turns that are being committed (called by update_session_cache alone).
-- turns: [{"token", "customer_phone", "orders": [{"total", "currency", "address", "items": [{"id", "name", "price", "quantity",
-- "currency"}]}]}]; "order" with a single one, as workers of the version before send it while they are being replaced, is taken too.
-- An order holds one currency, and a turn places one order of each: its total adds nothing up that cannot be added.
-- A line without a currency has that of its order. A turn that comes twice places nothing the second time.
create or replace function place_orders(ended jsonb) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
begin
    with asked as materialized (
        select t ->> 'customer_phone' as customer_phone, (t ->> 'token')::uuid as reply_id, one, turn_place, place
        from jsonb_array_elements(ended) with ordinality as turn (t, turn_place)
        cross join lateral jsonb_array_elements(case
            when jsonb_typeof(t -> 'orders') = 'array' then t -> 'orders'
            when jsonb_typeof(t -> 'order') = 'object' then jsonb_build_array(t -> 'order')
            else '[]' end) with ordinality as wanted (one, place)
    ), placed as (
        insert into orders (customer_phone, reply_id, address, total, currency)
        select customer_phone, reply_id, one ->> 'address', (one ->> 'total')::numeric, one ->> 'currency'
        from asked order by turn_place, place
        on conflict (reply_id, currency) do nothing
        returning id, reply_id, currency
    )
    insert into order_items (order_id, product_id, name, price, quantity, currency)
    select placed.id, (select p.id from products p where p.id = (item ->> 'id')::bigint), item ->> 'name',
           (item ->> 'price')::numeric, (item ->> 'quantity')::integer, coalesce(item ->> 'currency', placed.currency)
    from placed
    join asked on asked.reply_id = placed.reply_id and asked.one ->> 'currency' = placed.currency
    cross join lateral jsonb_array_elements(asked.one -> 'items') item;
end
$$;
