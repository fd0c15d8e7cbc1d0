-- Takes back the attempt of each swept turn that is still held: it now waits in a queue, where nothing can go wrong by
-- its fault, and `begin_attempts` counts again when somebody takes it. runs: {"turns": [{"customer_phone", "token",
-- "message_id"}]}.
create or replace function suspend_attempts(runs jsonb) returns void
language plpgsql set enable_seqscan = off as $$
begin
    perform from turns t
    join jsonb_array_elements(runs -> 'turns') r
      on r ->> 'customer_phone' = t.customer_phone and (r ->> 'token')::uuid = t.token
    order by t.customer_phone for update of t;
    update messages m set attempts = greatest(m.attempts - 1, 0)
    from jsonb_array_elements(runs -> 'turns') r
    join turns t on t.customer_phone = r ->> 'customer_phone' and t.token = (r ->> 'token')::uuid
    where m.id = (r ->> 'message_id')::bigint and m.state = 'accepted' and m.customer_phone = t.customer_phone;
end
$$;
