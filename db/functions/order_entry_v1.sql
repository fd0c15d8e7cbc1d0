-- What the shop is told of an order (the payload of whatsapp:orders), as the order is now. Money and quantities are
-- decimal texts: "1850.00", "0.5".
create or replace function order_entry(entry_order bigint, event text, event_id uuid, at timestamptz) returns jsonb
language sql stable set enable_seqscan = off set enable_mergejoin = off as $$
    select jsonb_build_object(
        'event_id', event_id, 'event', event, 'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'order', jsonb_build_object(
            'id', o.id, 'customer', o.customer_phone, 'name', o.name, 'channel', o.channel, 'status', o.status,
            'items', (
                select coalesce(jsonb_agg(jsonb_build_object(
                    'sku', i.sku, 'name', i.name, 'unit', i.unit, 'quantity', trim_scale(i.quantity)::text,
                    'price', i.price::text, 'total', i.total::text) order by i.id), '[]')
                from order_items i where i.order_id = o.id),
            'subtotal', coalesce(o.subtotal, o.total)::text, 'delivery_fee', o.delivery_fee::text,
            'total', o.total::text, 'currency', o.currency, 'delivery', o.delivery, 'address', o.address,
            'payment', o.payment, 'note', o.note))
    from orders o where o.id = entry_order
$$;
