-- Removes a customer: who it was and what was said; figures stay. A turn under way loses its token, so that whoever
-- works on it commits nothing. Running it again does no harm. Returns how much there was of each, and what is left to
-- do in Redis: {"messages", "unanswered", "dead_letters", "sessions", "orders", "customers", "tokens": [of the turn under
-- way], "unpublished": [ids of replies and of orders' events], "reply_keys": [keys of the reply cache that no other customer can have], "terms": [product searches]}.
create or replace function erase_customer(phone text) returns jsonb
language plpgsql as $$
declare
    counted jsonb;
    ended integer;
    untold uuid[];
    ordered integer;
    known integer;
begin
    insert into turns (customer_phone) values (phone) on conflict do nothing;
    perform from turns where customer_phone = phone for update;
    select jsonb_build_object(
        'messages', count(*),
        'unanswered', count(*) filter (where state = 'accepted'),
        'dead_letters', count(*) filter (where state = 'dead'),
        'tokens', (select coalesce(jsonb_agg(token), '[]') from turns where customer_phone = phone and token is not null),
        'unpublished', coalesce(jsonb_agg(reply_id) filter (where reply is not null and published_at is null), '[]'),
        'reply_keys', coalesce(jsonb_agg(distinct outcome ->> 'reply_key')
                                   filter (where outcome ->> 'reply_key' is not null), '[]'),
        'terms', (select coalesce(jsonb_agg(distinct term), '[]')
                  from messages m cross join jsonb_array_elements_text(m.outcome -> 'terms') term
                  where m.customer_phone = phone))
    into counted
    from messages where customer_phone = phone;

    with gone as (
        delete from customer_sessions where customer_phone = phone returning *
    ), noted as (
        insert into events (kind, data)
        select 'session_end', jsonb_build_object(
            'state', session_state, 'messages', messages, 'reason', 'erased',
            'duration_s', extract(epoch from updated_at - created_at)::bigint)
        from gone
    )
    select count(*) into ended from gone;
    untold := array(select event_id from order_events
                    where published_at is null and order_id = any (array(select id from orders where customer_phone = phone)));
    ordered := erase_orders(array(select id from orders where customer_phone = phone));
    perform erase_messages(array(select id from messages where customer_phone = phone));
    delete from customers where customer_phone = phone;
    get diagnostics known = row_count;
    delete from turns where customer_phone = phone;
    return counted || jsonb_build_object(
        'unpublished', (counted -> 'unpublished') || to_jsonb(untold),
        'sessions', ended, 'orders', ordered, 'customers', known);
end
$$;
