-- Closes what was asked of these customers last: words that belong to no turn come next, and a yes or a number may be meant
-- for those. said: the words, where the conversation shall know them: they enter the history of those that are alive, which
-- keeps as much as worker/session/session.py says.
create or replace function close_questions(phones text[], said text) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
begin
    perform from turns where customer_phone = any (phones) order by customer_phone for update;
    update customer_sessions s
    set version = nextval('session_version'),
        context_data = (s.context_data - array['asking', 'numbered', 'left_open'])
            || case when said is null then '{}' else jsonb_build_object('history', (
                   select jsonb_agg(exchange order by number)
                   from jsonb_array_elements(coalesce(s.context_data -> 'history', '[]') || jsonb_build_object(
                            'customer', '', 'reply', left(said, 400))) with ordinality as told (exchange, number)
                   where number > jsonb_array_length(coalesce(s.context_data -> 'history', '[]')) - 5)) end
    where s.customer_phone = any (phones) and s.expires_at > now();
end
$$;
