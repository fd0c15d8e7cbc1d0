-- The first act of a swept run: counts the attempt and starts the lease, in a commit of its own, so that neither a
-- kill nor waiting in a queue miscounts. runs: {"lease_s", "turns": [{"customer_phone", "token", "message_id"}]}.
-- Returns the tokens still held and how often their message has now been attempted.
create or replace function begin_attempts(runs jsonb) returns table (token uuid, attempts integer)
language plpgsql set enable_seqscan = off as $$
declare
    held text[];
begin
    held := array(
        select t.customer_phone from turns t
        join jsonb_array_elements(runs -> 'turns') r
          on r ->> 'customer_phone' = t.customer_phone and (r ->> 'token')::uuid = t.token
        order by t.customer_phone for update of t);
    update turns t set lease_until = clock_timestamp() + make_interval(secs => (runs ->> 'lease_s')::double precision)
    where t.customer_phone = any (held);
    return query
        update messages m set attempts = m.attempts + 1
        from jsonb_array_elements(runs -> 'turns') r
        join turns t on t.customer_phone = r ->> 'customer_phone' and t.token = (r ->> 'token')::uuid
        where m.id = (r ->> 'message_id')::bigint and m.state = 'accepted' and m.customer_phone = t.customer_phone
        returning t.token, m.attempts;
end
$$;
