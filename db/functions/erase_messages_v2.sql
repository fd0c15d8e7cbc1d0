-- Takes everything personal out of messages; their times, states and reply ids stay. What was unanswered or dead is
-- closed. WhatsApp's id of a reply names the customer's number, so it goes too. Returns how many messages there were.
create or replace function erase_messages(ids bigint[]) returns integer
language sql as $$
    with erased as (
        update messages m
        set message_id = erased_id(m.message_id), customer_phone = 'erased',
            content = jsonb_build_object('type', m.content -> 'type'), reply = null, outcome = null,
            state = case when m.state = 'answered' then m.state else 'closed' end,
            reason = case when m.state in ('accepted', 'dead') then concat_ws('; ', m.reason, 'erased') else m.reason end
        where m.id = any (ids) and m.customer_phone <> 'erased'
        returning m.id, m.reply_id
    ), unnamed as (
        update deliveries d set wamid = null
        where d.reply_id = any (array(select reply_id from erased where reply_id is not null))
    )
    select count(*)::integer from erased
$$;
