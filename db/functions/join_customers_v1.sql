-- Makes two customers one (called by link_customers alone; the turns of both are locked): what `gone` has said, ordered and
-- left is `kept`'s. Turns under way are taken from whoever has them, since neither has seen the other's messages; what is
-- unanswered is answered in the order in which it was accepted. Words that are not published yet go where `kept` is reached,
-- if `gone` is a phone, which is given up; a business-scoped id is answered where it wrote.
create or replace function join_customers(gone text, kept text) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    is_phone constant boolean := gone ~ '^[0-9]+$';
begin
    if (select customer_phone from customers where customer_phone = gone) is not null then
        perform free_turn(kept);
        insert into customers as c (customer_phone, name, created_at, last_seen_at)
        select kept, name, created_at, last_seen_at from customers where customer_phone = gone
        on conflict (customer_phone) do update
        set name = coalesce(c.name, excluded.name), created_at = least(c.created_at, excluded.created_at),
            last_seen_at = greatest(c.last_seen_at, excluded.last_seen_at);
        perform join_sessions(gone, kept);
        update orders set customer_phone = kept where customer_phone = gone;
        update order_events
        set customer_phone = kept,
            reply = case when is_phone and published_at is null and reply ? 'to'
                         then reply || jsonb_build_object('to', kept) else reply end
        where order_id = any (array(select id from orders where customer_phone = kept)) and customer_phone = gone;
        update messages
        set customer_phone = kept,
            content = case when state <> 'accepted' then content
                           when is_phone then content - 'from'
                           else jsonb_build_object('from', gone) || content end,
            reply = case when is_phone and published_at is null and reply ? 'to'
                         then reply || jsonb_build_object('to', kept) else reply end
        where customer_phone = gone;
        delete from customers where customer_phone = gone;
    end if;
    delete from turns where customer_phone = gone;
end
$$;
