-- Makes the conversations of two customers one (called by join_customers alone, which has made the customer `kept`). One that
-- is alive goes on before one that has ended, then one with a cart, then the newer one. A cart of the other one that is not
-- older than a day is kept beside it, to be offered, and `joined` lets the next reply say so. A wait for a person goes on,
-- the later one of two; the history is that of both, as much as worker/session/session.py keeps.
create or replace function join_sessions(gone text, kept text) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    waits constant text[] := array['human_until', 'human_told', 'human_since', 'human_reason'];
    conversations constant customer_sessions[] := array(
        select s from customer_sessions s where customer_phone in (gone, kept)
        order by expires_at > now() desc, cart_data <> '[]' desc, updated_at desc);
    lasting constant customer_sessions := conversations[1];
    other constant customer_sessions := conversations[2];
    left_behind jsonb := (select cart_data from kept_carts where customer_phone = gone and kept_until > now());
    context jsonb := lasting.context_data;
    history jsonb;
begin
    if coalesce(lasting.expires_at <= now(), true) then
        insert into kept_carts as k (customer_phone, cart_data, kept_until)
        select kept, cart_data, kept_until from kept_carts where customer_phone = gone
        on conflict (customer_phone) do update set cart_data = excluded.cart_data, kept_until = excluded.kept_until
        where excluded.kept_until > k.kept_until;
    else
        if other.cart_data <> '[]' and other.expires_at > now() - interval '1 day' then
            left_behind := other.cart_data;
        end if;
        left_behind := coalesce(left_behind, nullif(other.context_data -> 'kept', '[]'));
        if left_behind <> lasting.cart_data then
            context := context || jsonb_build_object('kept', left_behind, 'joined', true);
        end if;
        if other.expires_at > now() then
            if (other.context_data ->> 'human_until')::timestamptz
               > coalesce((context ->> 'human_until')::timestamptz, '-infinity') then
                context := (context - waits) || (
                    select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(other.context_data)
                    where key = any (waits));
            end if;
            history := case when other.updated_at < lasting.updated_at
                            then coalesce(other.context_data -> 'history', '[]') || coalesce(context -> 'history', '[]')
                            else coalesce(context -> 'history', '[]') || coalesce(other.context_data -> 'history', '[]') end;
            context := context || jsonb_build_object('history', (
                select coalesce(jsonb_agg(exchange order by number), '[]')
                from jsonb_array_elements(history) with ordinality as told (exchange, number)
                where number > jsonb_array_length(history) - 6));
        end if;
    end if;
    if other.id is not null then
        insert into events (kind, data) values ('session_end', jsonb_build_object(
            'session_id', other.id, 'state', other.session_state, 'messages', other.messages, 'reason', 'joined',
            'duration_s', extract(epoch from other.updated_at - other.created_at)::bigint));
        delete from customer_sessions where id = other.id;
    end if;
    update customer_sessions set customer_phone = kept, context_data = context, version = nextval('session_version')
    where id = lasting.id;
end
$$;
