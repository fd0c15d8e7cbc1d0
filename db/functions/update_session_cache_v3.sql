-- The one commit that ends turns: session, reply, order and message state together, for a whole batch.
-- session_data: {"lease_s", "max_messages", "max_chars", "session_ttl_s", "turns": [{"token", "customer_phone",
-- "message_ids": [..], "state": "answered" | "closed" | "dead", "reply": {..} | null, "outcome": {..} | null,
-- "error": text | null (why it ended so), "orders": [as place_orders takes them, one of each currency],
-- "session": {"id", "session_state", "cart_data", "context_data"} | null}]}
-- A turn commits only if its token is still the customer's, all its messages are unanswered, and no older one is; and if
-- the products that it orders are what its customer has agreed to. Else nothing of it changes, it keeps token and lease,
-- and its products as they are now come back, so that it can be answered anew and committed again.
-- Returns {"committed": [{"token", "session_version"}], "next": [turns claimed in the same commit],
--          "replies": [{"reply_id", "customer_phone", "reply"}] all not yet marked published of these customers, oldest first,
--          "changed": [{"token", "products"}] and "events": [{"id", "event_id", "payload", "reply"}] as place_orders gives them}.
-- A token that committed before (the answer to the first call was lost) is reported again, with session_version null.
create or replace function update_session_cache(session_data jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    batch jsonb := coalesce(session_data -> 'turns', '[]');
    phones text[] := array(select distinct t ->> 'customer_phone' from jsonb_array_elements(batch) t order by 1);
    fenced jsonb;
    fenced_places bigint[];
    fenced_phones text[];
    fenced_tokens uuid[];
    answered bigint[];
    places integer[];
    lasts boolean[];
    placed jsonb;
    committed jsonb;
    next_turns jsonb;
    replies jsonb;
begin
    perform from turns where customer_phone = any (phones) order by customer_phone for update;

    -- One look into an index for each turn, whatever the planner believes about the number of rows.
    with input as materialized (
        select place, t ->> 'customer_phone' as phone, (t ->> 'token')::uuid as token,
               array(select i::bigint from jsonb_array_elements_text(t -> 'message_ids') i) as ids
        from jsonb_array_elements(batch) with ordinality as input (t, place)
    )
    select array_agg(place), array_agg(phone), array_agg(token) into fenced_places, fenced_phones, fenced_tokens
    from input
    where ids <> '{}' and (select held.token from turns held where held.customer_phone = phone) = token
      -- What the customer waits for up to the last of them is these and nothing else. A count, since the planner would
      -- make a join of "not exists" and read everybody's waiting messages for each turn.
      and (select count(*) = cardinality(ids) and count(*) filter (where m.id = any (ids)) = cardinality(ids)
           from messages m
           where m.customer_phone = phone and m.state = 'accepted' and m.id <= (select max(i) from unnest(ids) i));
    fenced := case when cardinality(fenced_places) = jsonb_array_length(batch) then batch
                   else (select coalesce(jsonb_agg(batch -> (place - 1)::integer), '[]') from unnest(fenced_places) place) end;

    -- A turn whose products have changed is none of these any more.
    placed := place_orders(fenced);
    if placed -> 'changed' <> '[]' then
        select array_agg(place), array_agg(phone), array_agg(token) into fenced_places, fenced_phones, fenced_tokens
        from unnest(fenced_places, fenced_phones, fenced_tokens) kept (place, phone, token)
        where token <> all (array(select (turn ->> 'token')::uuid from jsonb_array_elements(placed -> 'changed') turn));
        fenced := (select coalesce(jsonb_agg(batch -> (place - 1)::integer), '[]') from unnest(fenced_places) place);
    end if;

    insert into events (kind, data)
    select 'session_end', jsonb_build_object(
        'session_id', s.id, 'state', s.session_state, 'messages', s.messages, 'reason', 'expired',
        'duration_s', extract(epoch from s.updated_at - s.created_at)::bigint)
    from customer_sessions s
    join jsonb_array_elements(fenced) t
      on t ->> 'customer_phone' = s.customer_phone and (t #>> '{session,id}')::uuid <> s.id
    where s.customer_phone = any (fenced_phones);

    with saved as (
        insert into customer_sessions as s
            (id, customer_phone, session_state, cart_data, context_data, messages, expires_at)
        select (t #>> '{session,id}')::uuid, t ->> 'customer_phone', t #>> '{session,session_state}',
               t #> '{session,cart_data}', t #> '{session,context_data}', jsonb_array_length(t -> 'message_ids'),
               clock_timestamp() + make_interval(secs => (session_data ->> 'session_ttl_s')::double precision)
        from jsonb_array_elements(fenced) t
        where jsonb_typeof(t -> 'session') = 'object'
        order by t ->> 'customer_phone'
        on conflict (customer_phone) do update set
            id = excluded.id, session_state = excluded.session_state, cart_data = excluded.cart_data,
            context_data = excluded.context_data, version = nextval('session_version'), updated_at = clock_timestamp(),
            expires_at = excluded.expires_at,
            created_at = case when s.id = excluded.id then s.created_at else clock_timestamp() end,
            messages = excluded.messages + case when s.id = excluded.id then s.messages else 0 end
        returning s.customer_phone, s.version
    )
    select coalesce(jsonb_agg(jsonb_build_object('token', t ->> 'token', 'session_version', saved.version)), '[]')
    into committed
    from jsonb_array_elements(fenced) t left join saved on saved.customer_phone = t ->> 'customer_phone';

    -- Arrays, because of the JSON the planner expects ten thousand messages, and reads the whole table for them.
    select array_agg(id), array_agg(place), array_agg(is_last) into answered, places, lasts
    from (select i::bigint as id, place::integer - 1 as place,
                 i::bigint = max(i::bigint) over (partition by place) as is_last
          from jsonb_array_elements(fenced) with ordinality as input (t, place),
               jsonb_array_elements_text(t -> 'message_ids') i) one;
    update messages m
    set state = fenced -> place ->> 'state', reply_id = (fenced -> place ->> 'token')::uuid,
        answered_at = clock_timestamp(), reason = fenced -> place ->> 'error',
        reply = case when is_last then nullif(fenced -> place -> 'reply', 'null') end,
        outcome = case when is_last then nullif(fenced -> place -> 'outcome', 'null') end
    from unnest(answered, places, lasts) as answer (id, place, is_last)
    where m.id = any (answered) and m.id = answer.id;

    update turns set token = null, lease_until = null, swept = false where customer_phone = any (fenced_phones);
    select coalesce(jsonb_agg(turn), '[]') into next_turns
    from claim_turns(fenced_phones, (session_data ->> 'lease_s')::double precision,
                     (session_data ->> 'max_messages')::integer, (session_data ->> 'max_chars')::integer, false) as turn;

    select committed || coalesce(jsonb_agg(jsonb_build_object('token', t ->> 'token', 'session_version', null)), '[]')
    into committed
    from jsonb_array_elements(batch) t
    where (t ->> 'token')::uuid <> all (coalesce(fenced_tokens, '{}'))
      and (select id from messages where reply_id = (t ->> 'token')::uuid limit 1) is not null;

    select coalesce(jsonb_agg(jsonb_build_object(
               'reply_id', m.reply_id, 'customer_phone', m.customer_phone, 'reply', m.reply) order by m.id), '[]')
    into replies
    -- The offset keeps the planner from walking all messages in their order to find these.
    from (select * from messages
          where customer_phone = any (phones) and reply is not null and published_at is null offset 0) m;

    return jsonb_build_object('committed', committed, 'next', next_turns, 'replies', replies) || placed;
end
$$;
