-- Gives turns that failed back to the sweep at once, with the kind of error. failures: [{"customer_phone", "token",
-- "message_ids", "error"}].
create or replace function release_turns(failures jsonb) returns void
language plpgsql set enable_seqscan = off as $$
declare
    held text[];
begin
    held := array(
        select t.customer_phone from turns t
        join jsonb_array_elements(failures) f
          on f ->> 'customer_phone' = t.customer_phone and (f ->> 'token')::uuid = t.token
        order by t.customer_phone for update of t);
    update turns set lease_until = clock_timestamp() where customer_phone = any (held);
    update messages m set last_error = f ->> 'error'
    from jsonb_array_elements(failures) f
    where m.customer_phone = any (held) and m.state = 'accepted' and m.customer_phone = f ->> 'customer_phone'
      and f -> 'message_ids' @> to_jsonb(m.id);
end
$$;
