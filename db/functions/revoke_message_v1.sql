-- A customer has deleted a message for everybody (called by apply_acts alone). revoke: a message as accept_messages takes it,
-- with "target", the message that is gone. Its words, and those of its edits, go out of messages and out of the session;
-- where nobody has answered it, it is closed (reason revoked); the turn under way may hold them, and is taken from whoever
-- has it. One that is still to come will find its id taken. Does no harm when it is done again.
-- Returns {"phones", "reply_keys"}: the customer, and keys of cached replies that were made of it.
create or replace function revoke_message(revoke jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    phone constant text := revoke ->> 'customer_phone';
    target constant text := revoke ->> 'target';
    said text;
    gone messages;
    turns_of uuid[];
begin
    if (select id from messages where message_id = target) is null
       and (select id from messages where message_id = erased_id(target)) is null then
        insert into messages (message_id, customer_phone, content, state, reason)
        values (target, phone, '{"type": "revoke"}', 'closed', 'revoked') on conflict (message_id) do nothing;
    end if;
    perform free_turn(phone);
    for gone in select * from (select * from messages where customer_phone = phone offset 0) theirs
                where (message_id = target or content ->> 'type' = 'edit' and content ->> 'target' = target) loop
        said := (select left(string_agg(m.content ->> 'text', E'\n' order by m.id), 400)
                 from messages m where m.reply_id = gone.reply_id);
        perform forget_words(phone, gone.content ->> 'text', said);
        if gone.state in ('accepted', 'dead') then
            perform close_messages(array[gone.id], 'revoked');
        end if;
        update messages set content = content - 'order' || '{"text": null, "selection_id": null}' where id = gone.id;
        turns_of := turns_of || gone.reply_id;
    end loop;
    update messages set outcome = outcome || '{"terms": []}'
    where reply_id = any (turns_of) and outcome -> 'terms' <> '[]';
    return jsonb_build_object('phones', jsonb_build_array(phone), 'reply_keys', (
        select coalesce(jsonb_agg(outcome ->> 'reply_key'), '[]')
        from messages where reply_id = any (turns_of) and outcome ->> 'reply_key' is not null));
end
$$;
