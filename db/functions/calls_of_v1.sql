-- The calls of one turn (ai_metrics.calls_made, see record_metrics_v2.sql) as rows.
create or replace function calls_of(calls_made jsonb)
returns table (
    provider text, model text, outcome text, calls bigint, prompt_tokens bigint, cached_tokens bigint,
    completion_tokens bigint, cost_microusd bigint)
language sql immutable as $$
    select c.provider, c.model, c.outcome, c.calls, coalesce((c.usage ->> 'prompt_tokens')::bigint, 0),
           coalesce((c.usage ->> 'cached_tokens')::bigint, 0), coalesce((c.usage ->> 'completion_tokens')::bigint, 0),
           c.cost_microusd
    from jsonb_to_recordset(calls_made) as c (
        provider text, model text, outcome text, calls bigint, usage jsonb, cost_microusd bigint)
$$;
