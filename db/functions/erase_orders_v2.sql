-- Takes everything personal out of orders and their events; what was bought, for how much and when, stays. An event that
-- the shop has not been told of is told without it, under an id of its own: whoever has the old one in hand publishes
-- nothing more under it. Words for the customer go, and WhatsApp's id of them. Returns how many orders there were.
create or replace function erase_orders(ids bigint[]) returns integer
language plpgsql set enable_seqscan = off set enable_mergejoin = off as $$
declare
    done integer;
begin
    update orders set customer_phone = 'erased', name = null, address = null, note = null
    where id = any (ids) and customer_phone <> 'erased';
    get diagnostics done = row_count;
    update deliveries set wamid = null
    where reply_id = any (array(select event_id from order_events where order_id = any (ids)));
    with named as (
        select id, case when published_at is null then gen_random_uuid() else event_id end as new_id
        from order_events where order_id = any (ids) and customer_phone <> 'erased'
    )
    update order_events e
    set customer_phone = 'erased', reply = null, event_id = new_id,
        payload = payload || jsonb_build_object(
            'event_id', new_id,
            'order', payload -> 'order' || '{"customer": "erased", "name": null, "address": null, "note": null}')
    from named where e.id = named.id and e.order_id = any (ids);
    return done;
end
$$;
