-- Trigger of ai_metrics, once per statement: adds the new rows to metric_totals in the same commit, so that Prometheus
-- reads a few hundred rows however many turns there have been, and no total falls when old rows are deleted.
-- name                labels          value
-- messages_ended      state, source   messages of committed turns (count_closed_v3.sql adds those that need no turn)
-- reply_latency       source, le_ms   replies that took at most le_ms (null: longer than the last bucket), in one bucket
-- reply_latency_ms    source          milliseconds of all of them
-- cost_microusd       provider        what calls cost, those of lost turns too ('none': no provider is known)
-- model_tokens        provider, model, kind   tokens billed: prompt (cached ones included), cached, completion
-- model_cost_microusd provider, model     what its calls cost
-- channel_messages     channel         messages of committed turns by business number: the first 20 that had any, else 'other'
-- baseline_microusd                   what the committed turns would have cost with the baseline's model alone
-- Only a canned reply can be the apology for a dead letter, so only there the message itself is asked.
create or replace function count_metrics() returns trigger language plpgsql as $$
declare
    -- The same as REPLY_BUCKETS_MS in db/monitoring.py.
    buckets_ms constant bigint[] := '{25,50,100,250,500,1000,2500,5000,10000,30000,60000,300000,1800000}';
    numbers text[] := array(select distinct f.channel from fresh f where f.channel is not null and f.committed);
    known text[];
    added jsonb;
begin
    if numbers <> '{}' then
        known := array(select t.labels ->> 'channel' from metric_totals t where t.name = 'channel_messages');
        known := known || array(select number from unnest(numbers) number where number <> all (known)
                                order by 1 limit greatest(20 - cardinality(known), 0));
    end if;
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
    ), calls as (
        select c.* from fresh f cross join lateral calls_of(f.calls_made) c
    ), totals as (
        select v.name, v.labels, v.value
        from sums s cross join lateral (values
            ('messages_ended', jsonb_build_object('state', state, 'source', source), messages * committed::integer),
            ('reply_latency', jsonb_build_object('source', source, 'le_ms', le_ms), replies),
            ('reply_latency_ms', jsonb_build_object('source', source), s.latency_ms),
            ('cost_microusd', jsonb_build_object('provider', paid), cost_microusd),
            ('baseline_microusd', '{}', baseline_microusd * committed::integer)
        ) v (name, labels, value)
        union all
        select v.name, v.labels, v.value
        from calls c cross join lateral (values
            ('model_tokens', jsonb_build_object('provider', provider, 'model', model, 'kind', 'prompt'), prompt_tokens),
            ('model_tokens', jsonb_build_object('provider', provider, 'model', model, 'kind', 'cached'), cached_tokens),
            ('model_tokens', jsonb_build_object('provider', provider, 'model', model, 'kind', 'completion'),
             completion_tokens),
            ('model_cost_microusd', jsonb_build_object('provider', provider, 'model', model), cost_microusd)
        ) v (name, labels, value)
        union all
        select 'channel_messages',
               jsonb_build_object('channel', case when f.channel = any (known) then f.channel else 'other' end),
               sum(f.messages)
        from fresh f where f.channel is not null and f.committed group by 2
    )
    select jsonb_agg(jsonb_build_object('name', name, 'labels', labels, 'value', value)) into added
    from totals where value > 0;
    if added is not null then
        perform add_totals(added);
    end if;
    return null;
end
$$;
