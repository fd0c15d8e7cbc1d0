-- The sums of ai_metrics from `since` up to, not including, `until`, by hour (UTC), source and provider ('' where there
-- is none): what the report is made of. replies, messages and baseline_microusd are those of committed turns; answers
-- and answer_ms count provider calls that were answered and their milliseconds. A provider that was paid for a turn
-- which another one answered, or nobody, has a row of that source with its cost alone.
create or replace function metric_sums(since timestamptz, until timestamptz)
returns table (
    hour timestamptz, source text, provider text, replies bigint, messages bigint, sessions_wanted bigint,
    sessions_cached bigint, answers bigint, answer_ms bigint, cost_microusd bigint, baseline_microusd bigint)
language sql stable as $$
    with turns as not materialized (
        select * from ai_metrics m where m.at >= since and m.at < until
    ), shares as (
        select t.at, t.source, coalesce(t.provider, '') as provider, committed::integer as committed, t.messages,
               (session_cache in ('hit', 'miss'))::integer as wanted, (session_cache = 'hit')::integer as cached,
               provider_latency_ms as answer_ms, t.baseline_microusd,
               case when cost_by_provider is null then t.cost_microusd
                    else coalesce((cost_by_provider ->> t.provider)::bigint, 0) end as cost_microusd
        from turns t
        union all
        select t.at, t.source, paid.key, 0, 0, 0, 0, null, 0, paid.value::bigint
        from turns t cross join lateral jsonb_each_text(t.cost_by_provider) paid
        where t.cost_by_provider is not null and paid.key is distinct from t.provider
    )
    select date_trunc('hour', at, 'UTC'), s.source, s.provider, sum(committed), sum(s.messages * committed)::bigint,
           coalesce(sum(wanted), 0), coalesce(sum(cached), 0), count(s.answer_ms), coalesce(sum(s.answer_ms), 0),
           sum(s.cost_microusd)::bigint, sum(s.baseline_microusd * committed)::bigint
    from shares s group by 1, 2, 3
$$;
