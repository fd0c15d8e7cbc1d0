-- Claims a turn for each of the given customers who has unanswered messages, under a new token and a lease from now.
-- The caller holds the lock of their rows in `turns`. A turn is the oldest messages, as far as they came to the same
-- business number ("channel" of the turn, which is missing where none was named): at most `max_messages`, and at most
-- `max_chars` characters unless the first alone is longer. "sender" of a message: the id of its customer that it came from,
-- where that is another one. Returns one JSON object per turn.
create or replace function claim_turns(
    phones text[], lease_s double precision, max_messages integer, max_chars integer, by_sweep boolean
) returns setof jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
begin
    return query
    with claimed as (
        update turns t
        set token = gen_random_uuid(), lease_until = clock_timestamp() + make_interval(secs => lease_s), swept = by_sweep
        where t.customer_phone = any (phones)
          and (select id from messages m where m.customer_phone = t.customer_phone and m.state = 'accepted' limit 1)
              is not null
        returning t.customer_phone, t.token
    )
    select jsonb_build_object(
        'token', c.token, 'customer_phone', c.customer_phone, 'swept', by_sweep,
        'customer_name', (select name from customers where customer_phone = c.customer_phone),
        'session_version', (select version from customer_sessions s
                            where s.customer_phone = c.customer_phone and s.expires_at > now()),
        'catalog_version', (select version from catalog_version where one_row),
        'messages', w.messages) || w.number
    from claimed c
    cross join lateral (
        select jsonb_agg(jsonb_build_object(
                   'id', id, 'message_id', message_id, 'sent_at_s', extract(epoch from sent_at)::bigint,
                   'attempts', attempts, 'type', content ->> 'type', 'text', content ->> 'text',
                   'selection_id', content ->> 'selection_id')
                   || jsonb_strip_nulls(jsonb_build_object(
                       'order', content -> 'order', 'product', content -> 'product',
                       'advertisement', content -> 'advertisement', 'sender', content -> 'from',
                       'quoted', case when content ? 'quoted'
                                      then quoted_message(content ->> 'quoted', c.customer_phone) end))
                   order by id) as messages,
               jsonb_strip_nulls(jsonb_build_object('channel', min(channel))) as number
        from (select m.*, row_number() over oldest as place, content ->> 'channel' as channel,
                     sum(coalesce(length(content ->> 'text'), 0)) over oldest as chars,
                     min(coalesce(content ->> 'channel', '')) over oldest
                         = max(coalesce(content ->> 'channel', '')) over oldest as is_same
              from (select * from messages m
                    where m.customer_phone = c.customer_phone and m.state = 'accepted'
                    order by m.id limit max_messages) m
              window oldest as (order by m.id)) waiting
        where place = 1 or (chars <= max_chars and is_same)
    ) w;
end
$$;
