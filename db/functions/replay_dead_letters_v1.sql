-- Dead letters become unanswered messages again, as if they had just come: with a new id each, after all that their
-- customers have written so far, and with no attempt counted. A free customer gets a turn whose lease has ended, which
-- is what the sweep looks for. An apology that is still unpublished is dropped. Returns how many were dead letters.
create or replace function replay_dead_letters(letters bigint[]) returns integer
language plpgsql as $$
declare
    phones text[] := array(select distinct customer_phone from messages
                           where id = any (letters) and state = 'dead' order by 1);
    letter bigint;
    replayed integer := 0;
begin
    perform from turns where customer_phone = any (phones) order by customer_phone for update;
    for letter in select distinct unnest(letters) order by 1 loop
        update messages
        set id = default, state = 'accepted', accepted_at = clock_timestamp(), attempts = 0, last_error = null,
            reason = null, reply_id = null, reply = null, outcome = null, answered_at = null, published_at = null
        where id = letter and state = 'dead';
        if found then
            replayed := replayed + 1;
        end if;
    end loop;
    update turns set token = gen_random_uuid(), lease_until = clock_timestamp(), swept = true
    where customer_phone = any (phones) and token is null
      and exists (select from messages m where m.customer_phone = turns.customer_phone and m.state = 'accepted');
    return replayed;
end
$$;
