-- Replies whose publication is not recorded although they were committed at least `older_than_s` ago, and replies
-- recorded as published within the last `recent_s` (0: none), which a restarted Redis may have lost. Oldest first.
create or replace function unpublished_replies(older_than_s double precision, recent_s double precision, max_rows integer)
returns table (reply_id uuid, customer_phone text, reply jsonb, outcome jsonb, message_count bigint)
language sql stable as $$
    select m.reply_id, m.customer_phone, m.reply, m.outcome,
           (select count(*) from messages n where n.reply_id = m.reply_id)
    from (
        (select id from messages u
         where u.reply is not null and u.published_at is null
           and u.answered_at <= now() - make_interval(secs => older_than_s)
         order by id limit max_rows)
        union
        (select id from messages p
         where recent_s > 0 and p.reply is not null and p.published_at > now() - make_interval(secs => recent_s)
         order by id limit max_rows)
    ) due
    join messages m on m.id = due.id
    order by m.id
$$;
