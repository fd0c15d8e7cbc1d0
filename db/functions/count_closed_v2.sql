-- Trigger of messages, once per statement: counts those that are closed as they are accepted, because no reply is due.
-- They have no turn, and so no row in ai_metrics, where count_metrics_v3.sql counts all others.
create or replace function count_closed() returns trigger language plpgsql as $$
declare
    closed bigint := (select count(*) from fresh where state = 'closed');
begin
    if closed > 0 then
        perform add_totals(jsonb_build_array(jsonb_build_object(
            'name', 'messages_ended', 'labels', '{"state": "closed", "source": "closed"}'::jsonb, 'value', closed)));
    end if;
    return null;
end
$$;
