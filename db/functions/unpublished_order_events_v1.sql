-- Events of orders whose publication is not recorded although the oldest of their order was committed at least
-- `older_than_s` ago, with all later ones of that order; and those recorded as published within the last `recent_s`
-- (0: none), which a restarted Redis may have lost. In the order of their ids, which is that of each order's events.
create or replace function unpublished_order_events(
    older_than_s double precision, recent_s double precision, max_rows integer
)
returns table (id bigint, event_id uuid, payload jsonb, reply jsonb)
language sql stable set enable_seqscan = off set enable_mergejoin = off as $$
    select e.id, e.event_id, e.payload, e.reply
    from order_events e
    where e.id = any (array(
        select id from order_events
        where published_at is null and order_id = any (array(
            select order_id from order_events
            where published_at is null and at <= clock_timestamp() - make_interval(secs => older_than_s)))
        union
        -- The offset keeps the planner from walking all events in their order to find the few that are due.
        select id from (select id from order_events
                        where recent_s > 0 and published_at > now() - make_interval(secs => recent_s) offset 0) fresh
        order by id limit max_rows))
    order by e.id
$$;
