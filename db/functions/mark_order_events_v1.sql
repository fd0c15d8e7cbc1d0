-- Records that events of orders are out. One that was erased meanwhile has another id and is not; one that somebody else
-- holds is left to the next pass of the sweep.
create or replace function mark_order_events(event_ids uuid[]) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    free bigint[] := array(select id from order_events where event_id = any (event_ids) and published_at is null
                           for no key update skip locked);
begin
    update order_events set published_at = clock_timestamp() where id = any (free);
end
$$;
