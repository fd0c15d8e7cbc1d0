-- Puts an event of an order into the outbox of orders, with words for the customer (an outbound entry) or null. Returns
-- {"id", "event_id", "payload", "reply"}. Its id is the id of its reply.
create or replace function add_order_event(told_order bigint, told_event text, told jsonb) returns jsonb
language plpgsql as $$
declare
    new_id uuid := coalesce((told ->> 'reply_id')::uuid, gen_random_uuid());
    moment timestamptz := clock_timestamp();
    added jsonb;
begin
    insert into order_events (event_id, order_id, customer_phone, event, at, payload, reply)
    select new_id, o.id, o.customer_phone, told_event, moment, order_entry(o.id, told_event, new_id, moment), told
    from orders o where o.id = told_order
    returning jsonb_build_object('id', id, 'event_id', event_id, 'payload', payload, 'reply', reply) into added;
    return added;
end
$$;
