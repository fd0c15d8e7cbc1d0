-- A message was edited (called by apply_acts alone). edit: a message as accept_messages takes it, with "target", the message
-- that is edited, and "edited", what it says now; of type "echo" where a person of the shop has edited what they wrote, which
-- changes the history. One of the customer's that nobody has answered says it from now on, and its turn is decided anew;
-- else the edit stays a message of its own. One that is still to come will find its id taken: the edit says all of it.
create or replace function edit_message(edit jsonb) returns void
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    phone constant text := edit ->> 'customer_phone';
    target constant messages := (
        select m from messages m where m.message_id = edit ->> 'target' and m.customer_phone = phone);
    by_shop constant boolean := edit ->> 'type' = 'echo';
    is_taken boolean;
begin
    if target.id is not null and by_shop <> (target.content ->> 'type' = 'echo') then
        return;
    end if;
    if by_shop then
        perform change_echo(phone, target.content ->> 'text', edit ->> 'edited');
        update messages set content = content || jsonb_build_object('text', edit ->> 'edited') where id = target.id;
    elsif target.state = 'accepted' then
        update messages
        set content = (content - 'order') || jsonb_build_object('text', edit ->> 'edited', 'selection_id', null)
        where id = target.id;
        -- Said once is enough: what is revoked later must be found.
        update messages set content = content || '{"text": null}' where message_id = edit ->> 'message_id';
        perform close_messages(array(select id from messages where message_id = edit ->> 'message_id'), null);
        perform free_turn(phone);
    elsif target.id is null and (select id from messages where message_id = erased_id(edit ->> 'target')) is null then
        insert into messages (message_id, customer_phone, content, state)
        values (edit ->> 'target', phone, '{"type": "edit"}', 'closed') on conflict (message_id) do nothing
        returning true into is_taken;
        if is_taken then
            update messages set content = (content - 'quoted') || jsonb_build_object('text', edit ->> 'edited')
            where message_id = edit ->> 'message_id';
        end if;
    end if;
end
$$;
