-- Places one order of a turn: the order, its items, their stock, and the event that tells the shop, which is returned;
-- null where the order is there already. The caller has locked the products. A worker of the version before names no
-- subtotal, name, unit or sku (a cart from then has an empty one), and may sell more than there is: then what is left is
-- taken.
create or replace function place_order(turn jsonb, wanted jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    new_order bigint;
begin
    insert into orders (customer_phone, reply_id, name, channel, subtotal, delivery_fee, total, currency, delivery,
                        address, payment, note)
    values (turn ->> 'customer_phone', (turn ->> 'token')::uuid,
            coalesce(wanted ->> 'name', (select name from customers where customer_phone = turn ->> 'customer_phone')),
            wanted ->> 'channel', coalesce(wanted ->> 'subtotal', wanted ->> 'total')::numeric,
            coalesce((wanted ->> 'delivery_fee')::numeric, 0), (wanted ->> 'total')::numeric, wanted ->> 'currency',
            wanted ->> 'delivery', wanted ->> 'address', wanted ->> 'payment', wanted ->> 'note')
    on conflict (reply_id, currency) do nothing returning id into new_order;
    if new_order is null then return null; end if;

    insert into order_items (order_id, product_id, sku, name, unit, price, quantity, total, currency, taken)
    select new_order, (sold).id, coalesce(nullif(item ->> 'sku', ''), (sold).sku), item ->> 'name',
           coalesce(item ->> 'unit', (sold).unit, 'u'), price, quantity,
           coalesce((item ->> 'total')::numeric, round(price * quantity, 2)),
           coalesce(item ->> 'currency', wanted ->> 'currency'),
           -- Of a product on two lines the second takes what the first has left; what is not counted is not taken.
           case when (sold).stock is null then 0 else greatest(least(quantity, (sold).stock - earlier), 0) end
    from (select item, place, (item ->> 'price')::numeric as price, (item ->> 'quantity')::numeric as quantity,
                 (select p from products p where p.id = (item ->> 'id')::bigint) as sold,
                 coalesce(sum((item ->> 'quantity')::numeric) over (
                     partition by item ->> 'id' order by place rows between unbounded preceding and 1 preceding), 0)
                     as earlier
          from jsonb_array_elements(wanted -> 'items') with ordinality as line (item, place)) lines
    order by place;
    perform move_stock(array_agg(product_id), array_agg(-taken))
    from order_items where order_id = new_order and taken > 0 having count(*) > 0;
    return add_order_event(new_order, 'placed', null);
end
$$;
