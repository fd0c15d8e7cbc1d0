-- Trigger of ai_metrics, once per statement: adds the new rows to metric_totals and call_hours in the same commit, so
-- that Prometheus reads a few hundred rows however many turns there have been, and no total falls when old rows are
-- deleted.
-- name                labels          value
-- messages_ended      state, source   messages of committed turns (count_closed_v1.sql adds those that need no turn)
-- reply_latency       source, le_ms   replies that took at most le_ms (null: longer than the last bucket), in one bucket
-- reply_latency_ms    source          milliseconds of all of them
-- cost_microusd       provider        what calls cost, those of lost turns too ('none': no provider is known)
-- model_tokens        provider, model, kind   tokens billed: prompt (cached ones included), cached, completion
-- model_cost_microusd provider, model     what its calls cost
-- baseline_microusd                   what the committed turns would have cost with the baseline's model alone
-- Only a canned reply can be the apology for a dead letter, so only there the message itself is asked.
create or replace function count_metrics() returns trigger language plpgsql as $$
declare
    -- The same as REPLY_BUCKETS_MS in db/monitoring.py.
    buckets_ms constant bigint[] := '{25,50,100,250,500,1000,2500,5000,10000,30000,60000,300000,1800000}';
begin
    with turns as (
        select f.*,
               case f.source
                   when 'closed' then 'closed'
                   when 'canned' then coalesce(
                       (select m.state from messages m where m.reply_id = f.reply_id limit 1), 'answered')
                   else 'answered'
               end as state,
               case when f.committed and f.source <> 'closed' then f.reply_latency_ms end as latency_ms,
               coalesce(f.provider, 'none') as paid
        from fresh f
    ), sums as (
        select committed, source, state, paid,
               buckets_ms[width_bucket(latency_ms - 1, buckets_ms) + 1] as le_ms,
               sum(messages) as messages, count(latency_ms) as replies, sum(latency_ms) as latency_ms,
               sum(cost_microusd) as cost_microusd, sum(baseline_microusd) as baseline_microusd
        from turns group by 1, 2, 3, 4, 5
    )
    insert into metric_totals as t (name, labels, value)
    select v.name, v.labels, sum(v.value)
    from sums s cross join lateral (values
        ('messages_ended', jsonb_build_object('state', state, 'source', source), messages * committed::integer),
        ('reply_latency', jsonb_build_object('source', source, 'le_ms', le_ms), replies),
        ('reply_latency_ms', jsonb_build_object('source', source), s.latency_ms),
        ('cost_microusd', jsonb_build_object('provider', paid), cost_microusd),
        ('baseline_microusd', '{}', baseline_microusd * committed::integer)
    ) v (name, labels, value)
    where v.value > 0
    group by 1, 2 order by 1, 2
    on conflict (name, labels) do update set value = t.value + excluded.value;

    -- Most turns are answered from the cache: no call, nothing to add.
    if not exists (select from fresh where calls_made <> '[]') then return null; end if;
    with made as (
        select date_trunc('hour', f.at, 'UTC') as hour, c.provider, c.model, c.outcome, c.calls, c.cost_microusd,
               coalesce((c.usage ->> 'prompt_tokens')::bigint, 0) as prompt_tokens,
               coalesce((c.usage ->> 'cached_tokens')::bigint, 0) as cached_tokens,
               coalesce((c.usage ->> 'completion_tokens')::bigint, 0) as completion_tokens
        from fresh f cross join lateral jsonb_to_recordset(f.calls_made) as c (
            provider text, model text, outcome text, calls bigint, usage jsonb, cost_microusd bigint)
    ), hours as (
        insert into call_hours as h (
            hour, provider, model, outcome, calls, prompt_tokens, cached_tokens, completion_tokens, cost_microusd)
        select hour, provider, model, outcome, sum(calls), sum(prompt_tokens), sum(cached_tokens),
               sum(completion_tokens), sum(cost_microusd)
        from made group by 1, 2, 3, 4 order by 1, 2, 3, 4
        on conflict (hour, provider, model, outcome) do update
        set calls = h.calls + excluded.calls, prompt_tokens = h.prompt_tokens + excluded.prompt_tokens,
            cached_tokens = h.cached_tokens + excluded.cached_tokens,
            completion_tokens = h.completion_tokens + excluded.completion_tokens,
            cost_microusd = h.cost_microusd + excluded.cost_microusd
    )
    insert into metric_totals as t (name, labels, value)
    select v.name, v.labels, sum(v.value)
    from made cross join lateral (values
        ('model_tokens', jsonb_build_object('provider', provider, 'model', model, 'kind', 'prompt'), prompt_tokens),
        ('model_tokens', jsonb_build_object('provider', provider, 'model', model, 'kind', 'cached'), cached_tokens),
        ('model_tokens', jsonb_build_object('provider', provider, 'model', model, 'kind', 'completion'),
         completion_tokens),
        ('model_cost_microusd', jsonb_build_object('provider', provider, 'model', model), cost_microusd)
    ) v (name, labels, value)
    where v.value > 0
    group by 1, 2 order by 1, 2
    on conflict (name, labels) do update set value = t.value + excluded.value;
    return null;
end
$$;
