-- Trigger of messages, once per statement: counts those that are closed as they are accepted, because no reply is due, by
-- their reason where there is one. They have no turn, and so no row in ai_metrics, where count_metrics_v4.sql counts all
-- others.
create or replace function count_closed() returns trigger language plpgsql as $$
declare
    closed jsonb := (
        select jsonb_agg(jsonb_build_object(
                   'name', 'messages_ended', 'value', number,
                   'labels', jsonb_build_object('state', 'closed', 'source', source)))
        from (select coalesce(reason, 'closed') as source, count(*) as number
              from fresh where state = 'closed' group by 1) ended);
begin
    if closed is not null then
        perform add_totals(closed);
    end if;
    return null;
end
$$;
