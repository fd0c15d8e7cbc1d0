-- Locks those of the customers who have neither a turn nor unanswered messages, passing over those whom somebody is
-- just working on, and returns them: until the transaction ends nothing of theirs can change.
create or replace function idle_customers(candidates text[]) returns text[]
language plpgsql set enable_seqscan = off set enable_mergejoin = off as $$
declare
    free text[];
begin
    insert into turns (customer_phone) select distinct unnest(candidates) order by 1 on conflict do nothing;
    free := array(select customer_phone from turns
                  where customer_phone = any (candidates) and token is null
                  order by customer_phone for update skip locked);
    -- One look into the index for each, whatever the planner believes about the number of waiting messages.
    return array(select phone from unnest(free) phone
                 where (select id from messages where customer_phone = phone and state = 'accepted' limit 1) is null);
end
$$;
