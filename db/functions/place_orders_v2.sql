-- Places the orders of turns that are being committed (called by update_session_cache alone, which has locked them).
-- ended: [{"token", "customer_phone", "orders": [{"currency", "subtotal", "delivery_fee", "total", "delivery" ("delivery",
-- "pickup" or null), "address", "payment", "note", "name", "channel", "items": [{"id", "sku", "name", "unit", "price",
-- "quantity", "currency", "total" (of the line; missing: price times quantity)}]}]}].
-- An order holds one currency, and a turn places one order of each. Turns are looked at in their order: one whose products
-- are not what its customer has agreed to, also because an earlier turn has just bought the last of them, places nothing.
-- Returns {"changed": [{"token", "products": as changed_products gives them}] turns that must not be committed,
--          "events": [{"id", "event_id", "payload", "reply"}] of what was placed}.
create or replace function place_orders(ended jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    ordering jsonb[] := array(
        select turn from jsonb_array_elements(ended) with ordinality as input (turn, place)
        where orders_of(turn) <> '[]' order by place);
    wanted bigint[] := array(
        select distinct (item ->> 'id')::bigint
        from unnest(ordering) turn, jsonb_array_elements(orders_of(turn)) one, jsonb_array_elements(one -> 'items') item);
    turn jsonb;
    now_sold jsonb;
    changed jsonb := '[]';
    events jsonb := '[]';
begin
    -- All products of the batch at once and in one order, so that no two batches wait for each other.
    perform from products where id = any (wanted) order by id for no key update;
    foreach turn in array ordering loop
        now_sold := changed_products(turn);
        if now_sold is null then
            events := events || (
                select coalesce(jsonb_agg(event) filter (where event is not null), '[]')
                from (select place_order(turn, one) as event
                      from jsonb_array_elements(orders_of(turn)) with ordinality as input (one, place)
                      order by place) placed);
        else
            changed := changed || jsonb_build_object('token', turn ->> 'token', 'products', now_sold);
        end if;
    end loop;
    return jsonb_build_object('changed', changed, 'events', events);
end
$$;
