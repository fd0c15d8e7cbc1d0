-- Products of a turn's orders as they are now, where any of them is not what the customer has agreed to: another name,
-- price, currency, unit or step, no longer sold, less left than is wanted of it in all; null where everything is as it
-- was. The caller has locked them. One that is gone from the catalogue is absent from the list. Numbers are decimal texts.
-- An order without a subtotal comes from a worker of the version before, which could not ask again: it is not looked at.
create or replace function changed_products(turn jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    ids bigint[] := array(select distinct (item ->> 'id')::bigint
                          from jsonb_array_elements(orders_of(turn)) one, jsonb_array_elements(one -> 'items') item);
    current jsonb;
    differs boolean;
begin
    current := coalesce((
        select jsonb_object_agg(p.id, jsonb_build_object(
            'id', p.id, 'sku', p.sku, 'name', p.name, 'brand', p.brand, 'format', p.format, 'unit', p.unit,
            'category', (select c.name from categories c where c.id = p.category_id),
            'price', p.price::text, 'currency', p.currency, 'stock', p.stock::text, 'step', p.step::text,
            'active', p.active))
        from products p where p.id = any (ids)), '{}');
    select bool_or(coalesce(
        not (now_sold ->> 'active')::boolean
        or (now_sold ->> 'price')::numeric <> (item ->> 'price')::numeric
        or now_sold ->> 'currency' <> coalesce(item ->> 'currency', one ->> 'currency')
        or now_sold ->> 'unit' <> coalesce(item ->> 'unit', now_sold ->> 'unit')
        -- As a line of a cart has it.
        or array_to_string(array[nullif(now_sold ->> 'name', ''), nullif(now_sold ->> 'brand', ''),
                                 nullif(now_sold ->> 'format', '')], ' ') <> item ->> 'name'
        or (item ->> 'quantity')::numeric % (now_sold ->> 'step')::numeric <> 0
        or coalesce((now_sold ->> 'stock')::numeric < quantity, false), true))
    into differs
    from (select one, item, current -> (item ->> 'id') as now_sold,
                 sum((item ->> 'quantity')::numeric) over (partition by item ->> 'id') as quantity
          from jsonb_array_elements(orders_of(turn)) one, jsonb_array_elements(one -> 'items') item
          where one ? 'subtotal') wanted;
    return case when differs then (select coalesce(jsonb_agg(current -> id::text order by id), '[]')
                                   from unnest(ids) id where current ? id::text) end;
end
$$;
