-- A person of the shop has written to a customer (called by apply_acts alone). echo: a message as accept_messages takes it,
-- with the shop's words as "text". What waited before it needs no answer of ours: its turn is taken from whoever has it,
-- and it is closed (reason answered_by_person). The session, a new one where there is none, waits for a person until
-- "human_wait_s" from now, and has the words in its history, which keeps as much as worker/session/session.py says.
create or replace function note_echo(echo jsonb, options jsonb) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    phone constant text := echo ->> 'customer_phone';
    place constant bigint := (select id from messages where message_id = echo ->> 'message_id');
    ttl constant interval := make_interval(secs => (options ->> 'session_ttl_s')::double precision);
    until constant timestamptz := now() + make_interval(secs => (options ->> 'human_wait_s')::double precision);
    iso constant text := 'YYYY-MM-DD"T"HH24:MI:SS"Z"';
    left_open bigint[];
    heard text;
    old customer_sessions;
    context jsonb;
    history jsonb;
begin
    perform free_turn(phone);
    select array_agg(id), string_agg(content ->> 'text', E'\n' order by id) into left_open, heard
    -- The offset keeps the planner from walking all messages in their order to find these.
    from (select id, content from messages where customer_phone = phone and state = 'accepted' offset 0) waiting
    where id < place;
    perform close_messages(coalesce(left_open, '{}'), 'answered_by_person');

    select * into old from customer_sessions where customer_phone = phone;
    if old.expires_at > now() then
        -- What we had asked last is no longer what a yes answers.
        context := old.context_data - 'asking' - 'numbered';
    else
        context := jsonb_strip_nulls(jsonb_build_object(
            'kept', (select cart_data from left_carts(array[phone]) cart)));
    end if;
    history := coalesce(context -> 'history', '[]') || jsonb_build_object(
        'customer', left(coalesce(heard, ''), 400), 'reply', left(coalesce(echo ->> 'text', ''), 400));
    history := (select jsonb_agg(exchange order by number)
                from jsonb_array_elements(history) with ordinality as told (exchange, number)
                where number > jsonb_array_length(history) - 6);
    if not coalesce((context ->> 'human_until')::timestamptz > now() and context ? 'human_since', false) then
        context := context || jsonb_build_object('human_since', to_char(now() at time zone 'UTC', iso));
    end if;
    context := context || jsonb_build_object(
        'history', history, 'human_until', to_char(until at time zone 'UTC', iso),
        'human_reason', 'person_wrote', 'human_told', true);

    if old.expires_at > now() then
        update customer_sessions
        set context_data = context, version = nextval('session_version'), updated_at = clock_timestamp(),
            expires_at = greatest(expires_at, now() + ttl)
        where customer_phone = phone;
        return;
    end if;
    if old.id is not null then
        insert into events (kind, data) values ('session_end', jsonb_build_object(
            'session_id', old.id, 'state', old.session_state, 'messages', old.messages, 'reason', 'expired',
            'duration_s', extract(epoch from old.updated_at - old.created_at)::bigint));
        delete from customer_sessions where id = old.id;
    end if;
    insert into customer_sessions (customer_phone, context_data, expires_at) values (phone, context, now() + ttl);
end
$$;
