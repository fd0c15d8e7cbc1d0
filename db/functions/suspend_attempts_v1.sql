-- Takes back the attempt of each swept turn that is still held: it now waits in a queue, where nothing can go wrong by
-- its fault, and `begin_attempts` counts again when somebody takes it. runs: {"turns": [{"customer_phone", "token",
-- "message_id"}]}.
create or replace function suspend_attempts(runs jsonb) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    waiting bigint[] := held_messages(runs);
begin
    update messages set attempts = greatest(attempts - 1, 0) where id = any (waiting);
end
$$;
