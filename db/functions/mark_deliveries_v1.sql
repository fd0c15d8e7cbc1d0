-- Marks replies as WhatsApp reports them: an array of {"reply_id", "state": sent | delivered | read | failed, "wamid",
-- "at_s", "code", "label"}; at_s (seconds since the epoch) may be null: now. What is no reply of ours is passed over. Each
-- state keeps the first time it was reported, so that a repeated report, and one that comes late, changes nothing that
-- is known. Adds the states that are new to metric_totals: deliveries (state), delivery_failures (code: the label).
-- Nobody may stop the intake, which calls this: where somebody holds rows for longer than `lock_timeout`, the reports
-- stand in events (kind 'unmarked'), and whoever marks next marks them too. Returns how many replies of ours there were.
create or replace function mark_deliveries(reported jsonb) returns integer
language plpgsql
set lock_timeout = '100ms' set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
as $$
declare
    every jsonb := reported;
    done integer;
    added jsonb;
begin
    with late as (
        delete from events where kind = 'unmarked' returning data -> 'statuses' as statuses
    )
    select every || coalesce(jsonb_agg(status), '[]') into every
    from late cross join lateral jsonb_array_elements(late.statuses) status;

    with given as (
        select r.reply_id, max(r.wamid) as wamid,
               min(coalesce(to_timestamp(r.at_s), now())) filter (where r.state = 'sent') as sent_at,
               min(coalesce(to_timestamp(r.at_s), now())) filter (where r.state = 'delivered') as delivered_at,
               min(coalesce(to_timestamp(r.at_s), now())) filter (where r.state = 'read') as read_at,
               min(coalesce(to_timestamp(r.at_s), now())) filter (where r.state = 'failed') as failed_at,
               min(r.code) filter (where r.state = 'failed') as code,
               min(r.label) filter (where r.state = 'failed') as label
        from jsonb_to_recordset(every) as r (
            reply_id uuid, state text, wamid text, at_s double precision, code integer, label text)
        group by r.reply_id
    ), ours as (
        select g.* from given g
        where exists (select from messages m where m.reply_id = g.reply_id and m.reply is not null)
           or exists (select from order_events e where e.event_id = g.reply_id and e.reply is not null)
    ), before as (
        select d.* from deliveries d where d.reply_id = any (array(select reply_id from ours))
    ), marked as (
        insert into deliveries as d (reply_id, wamid, sent_at, delivered_at, read_at, failed_at, code)
        select reply_id, wamid, sent_at, delivered_at, read_at, failed_at, code from ours order by reply_id
        on conflict (reply_id) do update
        set wamid = coalesce(d.wamid, excluded.wamid),
            sent_at = coalesce(d.sent_at, excluded.sent_at),
            delivered_at = coalesce(d.delivered_at, excluded.delivered_at),
            read_at = coalesce(d.read_at, excluded.read_at),
            failed_at = coalesce(d.failed_at, excluded.failed_at),
            code = coalesce(d.code, excluded.code)
        returning d.*
    ), fresh as (
        select v.name, v.labels, count(*) as value
        from marked n left join before b on b.reply_id = n.reply_id join ours o on o.reply_id = n.reply_id
        cross join lateral (values
            ('deliveries', '{"state": "sent"}'::jsonb, n.sent_at is not null and b.sent_at is null),
            ('deliveries', '{"state": "delivered"}', n.delivered_at is not null and b.delivered_at is null),
            ('deliveries', '{"state": "read"}', n.read_at is not null and b.read_at is null),
            ('deliveries', '{"state": "failed"}', n.failed_at is not null and b.failed_at is null),
            ('delivery_failures', jsonb_build_object('code', coalesce(o.label, 'other')),
             n.failed_at is not null and b.failed_at is null)
        ) v (name, labels, is_new)
        where v.is_new group by 1, 2
    )
    select (select count(*) from marked),
           (select jsonb_agg(jsonb_build_object('name', name, 'labels', labels, 'value', value)) from fresh)
    into done, added;
    if added is not null then
        perform add_totals(added);
    end if;
    return done;
exception when lock_not_available then
    insert into events (kind, data) values ('unmarked', jsonb_build_object('statuses', reported));
    return 0;
end
$$;
