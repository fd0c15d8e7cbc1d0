-- Those of the customers of whom another transaction holds a row that the commit of a turn would have to wait for: of
-- turns, customer_sessions, or the oldest unanswered messages, of which a turn has at most 10. Waits for nothing itself,
-- and its own locks end with the transaction. A customer may come twice.
create or replace function locked_for_commit(phones text[]) returns setof text
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    waiting bigint[] := array(
        select m.id from unnest(phones) phone
        -- The offset keeps the planner from walking all messages in their order to find these.
        cross join lateral (select id from (select id from messages
                                            where customer_phone = phone and state = 'accepted' offset 0) waiting
                            order by id limit 10) m);
begin
    return query
    select customer_phone from turns
    where customer_phone = any (phones) and customer_phone <> all (array(
        select customer_phone from turns where customer_phone = any (phones) for update skip locked))
    union all
    select customer_phone from customer_sessions
    where customer_phone = any (phones) and customer_phone <> all (array(
        select customer_phone from customer_sessions where customer_phone = any (phones)
        for no key update skip locked))
    union all
    -- One look into the index for each: for all at once an index of customers and ids would do, read from end to end.
    select (select customer_phone from messages where id = locked) from unnest(waiting) locked
    where locked <> all (array(
        select id from messages where id = any (waiting) for no key update skip locked));
end
$$;
