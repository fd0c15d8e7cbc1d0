-- Takes everything personal out of messages; their times, states and reply ids stay. What was unanswered or dead is
-- closed. Returns how many there were.
create or replace function erase_messages(ids bigint[]) returns integer
language sql as $$
    with erased as (
        update messages m
        set message_id = erased_id(m.message_id), customer_phone = 'erased',
            content = jsonb_build_object('type', m.content -> 'type'), reply = null, outcome = null, sent_as = null,
            state = case when m.state = 'answered' then m.state else 'closed' end,
            reason = case when m.state in ('accepted', 'dead') then concat_ws('; ', m.reason, 'erased') else m.reason end
        where m.id = any (ids) and m.customer_phone <> 'erased'
        returning m.id
    )
    select count(*)::integer from erased
$$;
