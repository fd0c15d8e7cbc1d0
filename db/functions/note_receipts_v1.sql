-- Notes WhatsApp's ids of replies that were sent. receipts: [{"reply_id", "message_id"}]. The first status of a reply tells;
-- one that somebody else holds is left to the next.
create or replace function note_receipts(receipts jsonb) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    sent uuid[] := array(select distinct (r ->> 'reply_id')::uuid from jsonb_array_elements(receipts) r);
    free bigint[] := array(
        select id from messages
        where reply_id = any (sent) and reply is not null and sent_as is null for no key update skip locked);
begin
    update messages m
    set sent_as = (select r ->> 'message_id' from jsonb_array_elements(receipts) r
                   where (r ->> 'reply_id')::uuid = m.reply_id limit 1)
    where m.id = any (free);
end
$$;
