-- A message was edited (called by apply_acts alone). edit: a message as accept_messages takes it, with "target", the message
-- that is edited, and "edited", what it says now; of type "echo" where a person of the shop has edited what they wrote, which
-- changes the history. One of the customer's that nobody has answered says it from now on, and its turn is decided anew;
-- else the edit stays a message of its own, in the place of an earlier one that nobody has answered. A message that is still
-- to come will find its id taken: the edit says all of it. The edit of one that was revoked says nothing.
create or replace function edit_message(edit jsonb) returns void
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    phone constant text := edit ->> 'customer_phone';
    target messages := (
        select m from messages m where m.message_id = edit ->> 'target' and m.customer_phone = phone);
    own_id constant bigint := (select id from messages where message_id = edit ->> 'message_id');
    by_shop constant boolean := edit ->> 'type' = 'echo';
    over bigint[];
begin
    if target.id is not null and by_shop <> (target.content ->> 'type' = 'echo') then
        return;
    end if;
    if by_shop then
        perform change_echo(phone, target.content ->> 'text', edit ->> 'edited');
        update messages set content = content || jsonb_build_object('text', edit ->> 'edited') where id = target.id;
        return;
    end if;
    if target.id is null and (select id from messages where message_id = erased_id(edit ->> 'target')) is null then
        insert into messages (message_id, customer_phone, content, state)
        values (edit ->> 'target', phone, '{"type": "edit"}', 'closed') on conflict (message_id) do nothing
        returning * into target;
    end if;
    over := array(
        select id from (select id, content from messages where customer_phone = phone and state = 'accepted' offset 0) left_open
        where id < own_id and content ->> 'type' = 'edit' and content ->> 'target' = edit ->> 'target');
    if target.state = 'accepted' then
        update messages
        set content = (content - 'order') || jsonb_build_object('text', edit ->> 'edited', 'selection_id', null)
        where id = target.id;
        over := over || own_id;
    elsif target.reason = 'revoked' then
        over := over || own_id;
    elsif target.content = '{"type": "edit"}' then
        update messages set content = (content - 'quoted') || jsonb_build_object('text', edit ->> 'edited') where id = own_id;
    end if;
    if over <> '{}' then
        -- Said once is enough: what is revoked later must be found.
        update messages set content = content || '{"text": null}' where id = any (over);
        perform close_messages(over, null);
        perform free_turn(phone);
    end if;
end
$$;
