-- Records calls for a reply that nobody has asked for yet. metrics: one row as record_metrics takes it, of source `ahead`
-- and not committed, so that it counts as cost and as nothing else. made: {"form_key", "reply_key", "answered" (false: no
-- reply came of the calls), "complexity", "prompt_tokens", "completion_tokens", "cost_microusd"}.
create or replace function record_reply_ahead(metrics jsonb, made jsonb) returns void language plpgsql as $$
begin
    perform record_metrics(metrics);
    insert into replies_ahead (
        form_key, reply_key, answered, complexity, prompt_tokens, completion_tokens, cost_microusd)
    select form_key, reply_key, answered, complexity, prompt_tokens, completion_tokens, cost_microusd
    from jsonb_to_record(made) as r (form_key text, reply_key text, answered boolean, complexity text,
                                     prompt_tokens integer, completion_tokens integer, cost_microusd bigint);
    perform add_totals(jsonb_build_array(
        jsonb_build_object('name', 'precache_replies', 'labels', '{}'::jsonb,
                           'value', (made ->> 'answered')::boolean::integer),
        jsonb_build_object('name', 'precache_cost_microusd', 'labels', '{}'::jsonb,
                           'value', made -> 'cost_microusd')));
end
$$;
