-- Closes unanswered messages without a reply, and counts them as count_closed_v3.sql does those that are closed as they are
-- accepted. reason: why, null where they were done with otherwise.
create or replace function close_messages(ids bigint[], why text) returns void
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
    if ids <> '{}' then
        update messages set state = 'closed', reason = why, answered_at = clock_timestamp() where id = any (ids);
        perform add_totals(jsonb_build_array(jsonb_build_object(
            'name', 'messages_ended', 'value', cardinality(ids),
            'labels', jsonb_build_object('state', 'closed', 'source', coalesce(why, 'closed')))));
    end if;
end
$$;
