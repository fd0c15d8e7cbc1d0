-- The one commit of intake. batch: {"lease_s", "max_messages", "max_chars", "human_wait_s", "session_ttl_s", "messages":
-- [{"message_id", "customer_phone", "name", "sent_at_s", "type", "text", "selection_id", "reply_due", and where there is
-- one "channel" (the business number's id), "order" (a cart: {"items": [{"sku", "quantity"}, ...], "note"}), "reason" (why
-- it is closed), "quoted" (WhatsApp's id of the message that it quotes), "product" (that it is about), "advertisement"
-- (words of it), and "act" (what it does to others: apply_acts_v1.sql)}, ...]} in acceptance order.
-- A message id that is already known changes nothing, even where that message has been erased since.
-- Returns {"accepted": how many are new, "turns": [those claimed]}; where something was revoked "forgotten": {"phones",
-- "reply_keys"}, whose session cache and cached replies may still hold it; and "joined" as link_customers_v1.sql gives it,
-- where there is anybody.
create or replace function accept_messages(batch jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    incoming jsonb := (
        select coalesce(jsonb_agg(m order by place), '[]')
        from jsonb_array_elements(coalesce(batch -> 'messages', '[]')) with ordinality as input (m, place)
        -- One look into the index for each, whatever the planner believes about the number of messages.
        where (select id from messages e where e.message_id = erased_id(m ->> 'message_id')) is null);
    named constant text[] := array(
        select distinct value ->> 'customer_phone' from jsonb_array_elements(incoming) order by 1);
    phones text[];
    links jsonb := '[]';
    joined jsonb;
    acts jsonb := '[]';
    forgotten jsonb;
    accepted integer;
    claimed jsonb;
    locked integer;
begin
    loop
        if incoming @? '$[*].links' then
            links := customer_links(incoming);
        end if;
        phones := array(
            select distinct customer_of(id) from (
                select unnest(named) as id
                union select link ->> 'alias' from jsonb_array_elements(links) link
                union select link ->> 'customer_phone' from jsonb_array_elements(links) link) ids
            order by 1);
        insert into turns (customer_phone) select unnest(phones) on conflict do nothing;
        perform from turns where customer_phone = any (phones) order by customer_phone for update;
        get diagnostics locked = row_count;
        -- A row may have been erased between the two, or a customer joined with another one.
        exit when locked = cardinality(phones)
              and not exists (select from customer_ids where alias = any (phones) and (until is null or until > now()));
        delete from turns t using customer_ids i
        where t.customer_phone = any (phones) and i.alias = t.customer_phone and (i.until is null or i.until > now());
    end loop;
    if links <> '[]' then
        joined := link_customers(links);
        phones := array(select distinct customer_of(phone) from unnest(phones) phone order by 1);
    end if;
    if phones <> named then
        incoming := (
            select coalesce(jsonb_agg(m || jsonb_strip_nulls(jsonb_build_object(
                       'customer_phone', i.customer_phone, 'from', case when i.until is null then i.alias end))
                   order by place), '[]')
            from jsonb_array_elements(incoming) with ordinality as input (m, place)
            left join customer_ids i on i.alias = m ->> 'customer_phone' and (i.until is null or i.until > now()));
    end if;

    if incoming @? '$[*].act' then
        -- A revocation is done again where it is known: what was to be forgotten in Redis may not be yet.
        acts := (select coalesce(jsonb_agg(m order by place), '[]')
                 from (select distinct on (m ->> 'message_id') m, place
                       from jsonb_array_elements(incoming) with ordinality as input (m, place)
                       where m ? 'act' order by m ->> 'message_id', place) once
                 where m ->> 'act' = 'revoke'
                    or (select id from messages e where e.message_id = m ->> 'message_id') is null);
    end if;
    insert into messages (message_id, customer_phone, content, sent_at, state, reason)
    select m ->> 'message_id', m ->> 'customer_phone',
           jsonb_build_object('type', m ->> 'type', 'text', m ->> 'text', 'selection_id', m ->> 'selection_id')
               || jsonb_strip_nulls(jsonb_build_object('order', m -> 'order', 'channel', m -> 'channel', 'target', m -> 'target', 'from', m -> 'from',
               'quoted', m -> 'quoted', 'product', m -> 'product', 'advertisement', m -> 'advertisement')),
           coalesce(to_timestamp((m ->> 'sent_at_s')::double precision), now()),
           case when coalesce((m ->> 'reply_due')::boolean, true) then 'accepted' else 'closed' end,
           m ->> 'reason'
    from jsonb_array_elements(incoming) with ordinality as input (m, place)
    order by place
    on conflict (message_id) do nothing;
    get diagnostics accepted = row_count;

    -- A row is touched only where it tells something new: a hot customer does not cost one dead row per message.
    insert into customers as c (customer_phone, name)
    select distinct on (m ->> 'customer_phone') m ->> 'customer_phone', m ->> 'name'
    from jsonb_array_elements(incoming) with ordinality as input (m, place)
    order by m ->> 'customer_phone', m ->> 'name' is null, place desc
    on conflict (customer_phone) do update
    set name = coalesce(excluded.name, c.name), last_seen_at = now()
    where c.name is distinct from coalesce(excluded.name, c.name) or c.last_seen_at < now() - interval '1 hour';

    if acts <> '[]' then
        forgotten := apply_acts(acts, batch);
    end if;
    select coalesce(jsonb_agg(turn), '[]') into claimed
    from claim_turns(
        array(select customer_phone from turns where customer_phone = any (phones) and token is null),
        (batch ->> 'lease_s')::double precision, (batch ->> 'max_messages')::integer,
        (batch ->> 'max_chars')::integer, false) as turn;
    if acts <> '[]' then
        -- A turn that was taken from somebody may have waited behind the turn before: its customer had not read our reply.
        claimed := (select coalesce(jsonb_agg(turn || jsonb_build_object('waited', coalesce(
                        (select accepted_at from messages where id = (turn #>> '{messages,0,id}')::bigint)
                        < (select updated_at from customer_sessions s where s.customer_phone = turn ->> 'customer_phone'),
                        false))), '[]')
                    from jsonb_array_elements(claimed) turn);
    end if;
    return jsonb_build_object('accepted', accepted, 'turns', claimed)
        || jsonb_strip_nulls(jsonb_build_object('forgotten', forgotten, 'joined', nullif(joined, '[]')));
end
$$;
