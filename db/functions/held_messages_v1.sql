-- Locks the turns that still hold their token, and returns which of their messages are unanswered. runs: {"turns":
-- [{"customer_phone", "token", "message_id"}]}.
create or replace function held_messages(runs jsonb) returns bigint[]
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    held uuid[] := array(
        select token
        from (select * from turns
              where customer_phone = any (array(
                  select r ->> 'customer_phone' from jsonb_array_elements(runs -> 'turns') r))
              order by customer_phone offset 0 for update) t
        where token = any (array(select (r ->> 'token')::uuid from jsonb_array_elements(runs -> 'turns') r)));
begin
    -- One look into the index for each: by state the planner would rather read everybody's waiting messages.
    return array(
        select (r ->> 'message_id')::bigint from jsonb_array_elements(runs -> 'turns') r
        where (r ->> 'token')::uuid = any (held)
          and (select state from messages where id = (r ->> 'message_id')::bigint
               and customer_phone = r ->> 'customer_phone') = 'accepted');
end
$$;
