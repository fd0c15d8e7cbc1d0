-- Deletes up to 10,000 expired sessions, never of a customer with a turn or unanswered messages, nor within the day after
-- a customer has waited for a person in vain (until then the shop sees whom it was). Records the end of each and how many
-- there were. Their carts are kept for a day (left_carts_v1.sql). Returns how many were deleted; call again until it is 0.
create or replace function cleanup_expired_sessions() returns integer
language plpgsql set enable_seqscan = off set enable_mergejoin = off as $$
declare
    candidates text[];
    deleted integer;
begin
    candidates := array(select customer_phone from customer_sessions
                        where expires_at <= now()
                          and (not context_data ? 'human_until'
                               or least((context_data ->> 'human_until')::timestamptz, expires_at)
                                  <= now() - interval '1 day')
                        order by expires_at limit 10000);
    insert into turns (customer_phone) select unnest(candidates) order by 1 on conflict do nothing;
    candidates := array(select customer_phone from turns
                        where customer_phone = any (candidates) and token is null
                        order by customer_phone for update skip locked);
    -- Nor one that somebody else holds, for which all others would wait.
    candidates := array(select customer_phone from customer_sessions
                        where customer_phone = any (candidates) for update skip locked);
    with gone as (
        delete from customer_sessions s
        where s.customer_phone = any (candidates) and s.expires_at <= now()
          and not exists (select from messages m where m.customer_phone = s.customer_phone and m.state = 'accepted')
        returning s.*, coalesce(nullif(s.cart_data, '[]'), s.context_data -> 'kept', '[]') as left_cart
    ), ended as (
        insert into events (kind, data)
        select 'session_end', jsonb_build_object(
            'session_id', id, 'state', session_state, 'messages', messages, 'reason', 'expired',
            'duration_s', extract(epoch from updated_at - created_at)::bigint)
        from gone
    ), kept as (
        insert into kept_carts (customer_phone, cart_data, kept_until)
        select customer_phone, left_cart, expires_at + interval '1 day' from gone
        where left_cart <> '[]' and expires_at > now() - interval '1 day'
          and exists (select from customers c where c.customer_phone = gone.customer_phone)
        on conflict (customer_phone) do update set cart_data = excluded.cart_data, kept_until = excluded.kept_until
    ), forgotten as (
        -- A conversation that left nothing has done with what an earlier one left.
        delete from kept_carts where customer_phone in (select customer_phone from gone where left_cart = '[]')
    )
    select count(*) into deleted from gone;
    delete from kept_carts where kept_until <= now();
    if deleted > 0 then
        insert into events (kind, data) values ('cleanup', jsonb_build_object('deleted', deleted));
    end if;
    return deleted;
end
$$;
