-- Trigger of ai_metrics, once per statement: keeps metric_hours, latency_hours, call_hours and channel_hours, in which the report
-- finds whole hours summed up. Every hour up to the newest in metric_hours is complete in all; what is newer is read from ai_metrics. So
-- a row of the hour under way costs two looks into an index, and the first statement after an hour's end sums it up.
-- changed: the rows inserted, the rows deleted, or one side of an update. Late changes make their hours anew.
create or replace function roll_up_hours() returns trigger language plpgsql as $$
declare
    -- A minute after its end no row of an hour is still on its way: none of our transactions lasts that long.
    closed constant timestamptz := date_trunc('hour', now() - interval '1 minute', 'UTC');
    rolled_until timestamptz;
    touched timestamptz[];
begin
    if tg_op = 'TRUNCATE' then
        truncate metric_hours, latency_hours, call_hours, channel_hours;
        return null;
    end if;
    touched := array(select distinct date_trunc('hour', at, 'UTC') from changed where at < closed);
    rolled_until := coalesce((select max(hour) + interval '1 hour' from metric_hours), '-infinity');
    if touched = '{}' and not exists (select from ai_metrics where at >= rolled_until and at < closed) then
        return null;
    end if;

    -- One at a time, until its commit; what the one before has summed up is seen from here on. Whoever adds only what is
    -- new leaves it to the one who is at it, or holds it open: the report reads from ai_metrics what is not summed up.
    if touched <> '{}' then
        perform pg_advisory_xact_lock(7243003);
    elsif not pg_try_advisory_xact_lock(7243003) then
        return null;
    end if;
    rolled_until := coalesce((select max(hour) + interval '1 hour' from metric_hours), '-infinity');
    delete from metric_hours where hour = any (touched);
    delete from latency_hours where hour = any (touched);
    delete from call_hours where hour = any (touched);
    delete from channel_hours where hour = any (touched);
    insert into channel_hours
    select sums.* from unnest(touched) again cross join lateral channel_sums(again, again + interval '1 hour') sums
    where again < rolled_until
    union all
    select * from channel_sums(rolled_until, closed);
    insert into call_hours
    select sums.* from unnest(touched) again cross join lateral call_sums(again, again + interval '1 hour') sums
    where again < rolled_until
    union all
    select * from call_sums(rolled_until, closed);
    insert into metric_hours
    select sums.* from unnest(touched) again cross join lateral metric_sums(again, again + interval '1 hour') sums
    where again < rolled_until
    union all
    select * from metric_sums(rolled_until, closed);
    insert into latency_hours (hour, latency_ms, replies)
    select hour, reply_latency_ms, count(*)
    from (
        select again as hour, committed, reply_latency_ms
        from unnest(touched) again join ai_metrics on at >= again and at < again + interval '1 hour'
        where again < rolled_until
        union all
        select date_trunc('hour', at, 'UTC'), committed, reply_latency_ms
        from ai_metrics where at >= rolled_until and at < closed
    ) rows
    where committed and reply_latency_ms is not null
    group by 1, 2;
    return null;
end
$$;
