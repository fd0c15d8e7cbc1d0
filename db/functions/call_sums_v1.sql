-- Calls of ai_metrics from `since` up to, not including, `until`, by hour (UTC), provider, model and outcome; those of
-- turns that were lost too, since they were paid for.
create or replace function call_sums(since timestamptz, until timestamptz)
returns table (
    hour timestamptz, provider text, model text, outcome text, calls bigint, prompt_tokens bigint,
    cached_tokens bigint, completion_tokens bigint, cost_microusd bigint)
language sql stable as $$
    select date_trunc('hour', m.at, 'UTC'), c.provider, c.model, c.outcome, sum(c.calls)::bigint,
           sum(c.prompt_tokens)::bigint, sum(c.cached_tokens)::bigint, sum(c.completion_tokens)::bigint,
           sum(c.cost_microusd)::bigint
    from ai_metrics m cross join lateral calls_of(m.calls_made) c
    where m.at >= since and m.at < until and m.calls_made <> '[]'
    group by 1, 2, 3, 4
$$;
