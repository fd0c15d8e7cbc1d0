-- Moves an order to a status and puts the event into the outbox; what is cancelled goes back on the shelf.
-- told: words for the customer, an outbound entry, or null; it is dropped where the customer was erased meanwhile. What was
-- asked of the customer before them is open no more: a yes may be an answer to these words.
-- Returns {"status": the one before, "events": [{"id", "event_id", "payload", "reply"}] of this order that are not
-- published, oldest first, this one last}; {"problem": "unknown"} where there is no such order; {"problem": "final" |
-- "same", "status"} where it is delivered or cancelled for good, or has this status: then nothing changes.
create or replace function set_order_status(moved_order bigint, wanted text, told jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off as $$
declare
    moved orders;
    words jsonb;
begin
    -- Before all else, like every commit and erasure of this customer.
    perform from turns
    where customer_phone = (select customer_phone from orders where id = moved_order) for update;
    select * into moved from orders where id = moved_order for update;
    if not found then return '{"problem": "unknown"}'; end if;
    if moved.status = wanted then return jsonb_build_object('problem', 'same', 'status', moved.status); end if;
    if moved.status in ('delivered', 'cancelled') then
        return jsonb_build_object('problem', 'final', 'status', moved.status);
    end if;
    if wanted = 'cancelled' then perform put_back(moved_order); end if;
    update orders set status = wanted, status_at = clock_timestamp() where id = moved_order;
    words := case when told ->> 'to' = moved.customer_phone then told end;
    if words is not null then
        perform close_questions(array[moved.customer_phone], words ->> 'text');
    end if;
    perform add_order_event(moved_order, case wanted when 'cancelled' then 'cancelled' else 'status' end, words);
    return jsonb_build_object('status', moved.status, 'events', (
        select jsonb_agg(jsonb_build_object('id', id, 'event_id', event_id, 'payload', payload, 'reply', reply) order by id)
        from order_events where order_id = moved_order and published_at is null));
end
$$;
