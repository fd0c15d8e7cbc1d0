-- Messages of committed turns from `since` up to, not including, `until`, by hour (UTC) and business number; those that
-- came to none that was named are not among them.
create or replace function channel_sums(since timestamptz, until timestamptz)
returns table (hour timestamptz, channel text, messages bigint)
language sql stable as $$
    select date_trunc('hour', m.at, 'UTC'), m.channel, sum(m.messages)::bigint
    from ai_metrics m where m.at >= since and m.at < until and m.channel is not null and m.committed
    group by 1, 2
$$;
