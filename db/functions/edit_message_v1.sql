-- A customer has edited a message (called by apply_acts alone). edit: a message as accept_messages takes it, with "target",
-- the message that is edited, and "edited", what it says now. One that nobody has answered says it from now on, and its
-- turn is decided anew; else the edit stays a message of its own.
create or replace function edit_message(edit jsonb) returns void
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    waiting constant bigint := (
        select id from messages m
        where m.message_id = edit ->> 'target' and m.customer_phone = edit ->> 'customer_phone' and m.state = 'accepted');
begin
    if waiting is not null then
        update messages
        set content = (content - 'order') || jsonb_build_object('text', edit ->> 'edited', 'selection_id', null)
        where id = waiting;
        -- Said once is enough: what is revoked later must be found.
        update messages set content = content || '{"text": null}' where message_id = edit ->> 'message_id';
        perform close_messages(array(select id from messages where message_id = edit ->> 'message_id'), null);
        perform free_turn(edit ->> 'customer_phone');
    end if;
end
$$;
