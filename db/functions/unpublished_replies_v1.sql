-- Replies whose publication is not recorded although they were committed at least `older_than_s` ago, and replies
-- recorded as published within the last `recent_s` (0: none), which a restarted Redis may have lost. Oldest first.
create or replace function unpublished_replies(older_than_s double precision, recent_s double precision, max_rows integer)
returns table (reply_id uuid, customer_phone text, reply jsonb, outcome jsonb, message_count bigint)
language sql stable set enable_seqscan = off set enable_mergejoin = off as $$
    select m.reply_id, m.customer_phone, m.reply, m.outcome,
           (select count(*) from messages n where n.reply_id = m.reply_id)
    from messages m
    -- The offsets keep the planner from walking all messages in their order to find the few that are due.
    where m.id = any (array(
        (select id from (select id from messages
                         where reply is not null and published_at is null
                           and answered_at <= now() - make_interval(secs => older_than_s) offset 0) old
         order by id limit max_rows)
        union
        (select id from (select id from messages
                         where recent_s > 0 and reply is not null
                           and published_at > now() - make_interval(secs => recent_s) offset 0) fresh
         order by id limit max_rows)))
    order by m.id
$$;
