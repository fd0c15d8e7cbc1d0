-- Trigger of messages, once per statement: counts those that are closed as they are accepted, because no reply is due.
-- They have no turn, and so no row in ai_metrics, where count_metrics_v1.sql counts all others.
create or replace function count_closed() returns trigger language plpgsql as $$
begin
    insert into metric_totals as t (name, labels, value)
    select 'messages_ended', '{"state": "closed", "source": "closed"}', count(*) from fresh where state = 'closed'
    having count(*) > 0
    on conflict (name, labels) do update set value = t.value + excluded.value;
    return null;
end
$$;
