-- The first act of a swept run: counts the attempt and starts the lease, in a commit of its own, so that neither a
-- kill nor waiting in a queue miscounts. runs: {"lease_s", "turns": [{"customer_phone", "token", "message_id"}]}.
-- Returns the tokens still held and how often their message has now been attempted.
create or replace function begin_attempts(runs jsonb) returns table (token uuid, attempts integer)
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    waiting bigint[] := held_messages(runs);
begin
    perform extend_leases(
        array(select r ->> 'customer_phone' from jsonb_array_elements(runs -> 'turns') r),
        array(select (r ->> 'token')::uuid from jsonb_array_elements(runs -> 'turns') r),
        (runs ->> 'lease_s')::double precision);
    return query
        update messages m set attempts = m.attempts + 1
        from jsonb_array_elements(runs -> 'turns') r
        where m.id = any (waiting) and m.id = (r ->> 'message_id')::bigint
          and (select t.token from turns t where t.customer_phone = r ->> 'customer_phone') = (r ->> 'token')::uuid
        returning (r ->> 'token')::uuid, m.attempts;
end
$$;
