-- The commit after a reply is out: one row of ai_metrics per reply id and messages.published_at. metrics: an array of
-- {"reply_id", "committed", "source", "provider", "model", "complexity", "intent", "messages", "calls", "prompt_tokens",
-- "cached_tokens", "completion_tokens", "cost_microusd", "baseline_microusd", "provider_latency_ms", "session_cache",
-- "cost_by_provider": null, or the micro-dollars of each provider where others than `provider` were paid too,
-- "calls_made": an array of {"provider", "model", "outcome", "calls", "usage": {"prompt_tokens", "cached_tokens",
-- "completion_tokens"}, "cost_microusd"}}, "cart_operations": null, or {"proposed", "refused", "undone"} where the turn
-- was about a cart, "channel": the business number that it came to, missing or null where none was named.
-- Returns for each row that is new its reply id and the milliseconds from acceptance of the oldest message to now.
create or replace function record_metrics(metrics jsonb) returns table (reply_id uuid, reply_latency_ms bigint)
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    replied uuid[] := array(select (r ->> 'reply_id')::uuid from jsonb_array_elements(metrics) r);
    published uuid[] := array(select (r ->> 'reply_id')::uuid from jsonb_array_elements(metrics) r
                              where (r ->> 'committed')::boolean);
begin
    return query
        insert into ai_metrics as a (
            reply_id, committed, source, provider, model, complexity, intent, messages, calls, prompt_tokens,
            cached_tokens, completion_tokens, cost_microusd, baseline_microusd, provider_latency_ms, session_cache,
            cost_by_provider, calls_made, cart_operations, channel,
            reply_latency_ms)
        select r.reply_id, r.committed, r.source, r.provider, r.model, r.complexity, r.intent, r.messages, r.calls,
               r.prompt_tokens, r.cached_tokens, r.completion_tokens, r.cost_microusd, r.baseline_microusd,
               r.provider_latency_ms, r.session_cache, r.cost_by_provider, coalesce(r.calls_made, '[]'), r.cart_operations,
               r.channel,
               (extract(epoch from clock_timestamp() - o.accepted_at) * 1000)::bigint
        from jsonb_to_recordset(metrics) as r (
            reply_id uuid, committed boolean, source text, provider text, model text, complexity text, intent text,
            messages integer, calls integer, prompt_tokens bigint, cached_tokens bigint, completion_tokens bigint,
            cost_microusd bigint, baseline_microusd bigint, provider_latency_ms integer, session_cache text,
            cost_by_provider jsonb, calls_made jsonb, cart_operations jsonb, channel text)
        -- By all ids at once: alone, min() tempts the planner to walk the index of acceptance times from the beginning.
        left join (select m.reply_id, min(m.accepted_at) as accepted_at from messages m
                   where m.reply_id = any (replied) group by m.reply_id) o on o.reply_id = r.reply_id
        order by r.reply_id
        on conflict on constraint ai_metrics_reply_id_key do nothing
        returning a.reply_id, a.reply_latency_ms;
    -- One that somebody else holds stays unpublished: the sweep publishes it again, under the same id, until it is free.
    update messages m set published_at = clock_timestamp()
    where m.id = any (array(select o.id from messages o where o.reply_id = any (published) and o.published_at is null
                            for no key update skip locked));
end
$$;
