-- Gives turns that failed back to the sweep at once, with the kind of error. failures: [{"customer_phone", "token",
-- "message_ids", "error"}].
create or replace function release_turns(failures jsonb) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    held text[];
begin
    held := array(
        select customer_phone
        from (select * from turns
              where customer_phone = any (array(select f ->> 'customer_phone' from jsonb_array_elements(failures) f))
              order by customer_phone offset 0 for update) t
        where token = any (array(select (f ->> 'token')::uuid from jsonb_array_elements(failures) f)));
    update turns set lease_until = clock_timestamp() where customer_phone = any (held);
    update messages m set last_error = f ->> 'error'
    from jsonb_array_elements(failures) f
    where m.customer_phone = any (held) and m.state = 'accepted' and m.customer_phone = f ->> 'customer_phone'
      and f -> 'message_ids' @> to_jsonb(m.id);
end
$$;
