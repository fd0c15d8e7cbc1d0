-- A message was deleted for everybody (called by apply_acts alone). revoke: a message as accept_messages takes it, with
-- "target", the message that is gone; of type "echo" where a person of the shop has deleted what they wrote. The words of the
-- message, and those of its edits, go out of messages and out of the session, with the searches made for them since; where
-- nobody has answered it, it is closed (reason revoked); the turn under way may hold them, and is taken from whoever has it.
-- One that is still to come will find its id taken. Does no harm when it is done again.
-- Returns {"phones", "reply_keys", "terms", "words"}: the customer, keys of cached replies that were made of it, searches
-- that were made for it, and the words themselves.
create or replace function revoke_message(revoke jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    phone constant text := revoke ->> 'customer_phone';
    target constant text := revoke ->> 'target';
    by_shop constant boolean := revoke ->> 'type' = 'echo';
    said text;
    gone messages;
    first_id bigint;
    searched jsonb;
    terms jsonb := '[]';
    words jsonb := '[]';
    turns_of uuid[];
begin
    if (select id from messages where message_id = target) is null
       and (select id from messages where message_id = erased_id(target)) is null then
        insert into messages (message_id, customer_phone, content, state, reason)
        values (target, phone, '{"type": "revoke"}', 'closed', 'revoked') on conflict (message_id) do nothing;
    end if;
    perform free_turn(phone);
    for gone in select * from (select * from messages where customer_phone = phone offset 0) theirs
                where (message_id = target or content ->> 'type' = 'edit' and content ->> 'target' = target)
                  and by_shop = (content ->> 'type' = 'echo') order by id loop
        if by_shop then
            perform change_echo(phone, gone.content ->> 'text', null);
        else
            said := (select left(string_agg(m.content ->> 'text', E'\n' order by m.id), 400)
                     from messages m where m.reply_id = gone.reply_id);
            searched := (select coalesce(jsonb_agg(distinct term), '[]') from messages m
                         cross join jsonb_array_elements(m.outcome -> 'terms') term where m.reply_id = gone.reply_id);
            perform forget_words(phone, gone.content ->> 'text', said, searched);
            terms := terms || searched;
            turns_of := turns_of || gone.reply_id;
            first_id := coalesce(first_id, gone.id);
        end if;
        if gone.content ->> 'text' is not null then
            words := words || (gone.content -> 'text');
        end if;
        if gone.state in ('accepted', 'dead') then
            perform close_messages(array[gone.id], 'revoked');
        end if;
        update messages set content = content - 'order' || '{"text": null, "selection_id": null}' where id = gone.id;
    end loop;
    if terms <> '[]' then
        -- A message behind it that named nothing was searched for in the same words.
        update messages
        set outcome = outcome || jsonb_build_object('terms', (
            select coalesce(jsonb_agg(term order by number), '[]')
            from jsonb_array_elements(outcome -> 'terms') with ordinality as made (term, number) where not terms @> term))
        where id = any (array(
            select id from (select id, outcome from messages where customer_phone = phone offset 0) theirs
            where id >= first_id and outcome ? 'terms' and outcome -> 'terms' <> '[]'));
    end if;
    return jsonb_build_object('phones', jsonb_build_array(phone), 'terms', terms, 'words', words, 'reply_keys', (
        select coalesce(jsonb_agg(outcome ->> 'reply_key'), '[]')
        from messages where reply_id = any (turns_of) and outcome ->> 'reply_key' is not null));
end
$$;
