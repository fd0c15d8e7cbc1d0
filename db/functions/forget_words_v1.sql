-- Takes what a customer has revoked out of the session: every exchange of the history that holds it, what of the order
-- to come it was, and the searches made for it. words: the message; said: what its turn said in all, as the history has it;
-- terms: searches of its turn.
create or replace function forget_words(phone text, words text, said text, terms jsonb) returns void
language sql set enable_seqscan = off as $$
    update customer_sessions s
    set version = nextval('session_version'),
        context_data = s.context_data || jsonb_build_object('history', (
            select coalesce(jsonb_agg(exchange order by number), '[]')
            from jsonb_array_elements(s.context_data -> 'history') with ordinality as told (exchange, number)
            where exchange ->> 'customer' is distinct from said
              and position(E'\n' || left(words, 400) || E'\n' in E'\n' || (exchange ->> 'customer') || E'\n') = 0
              -- A few words may be anybody's; many stand cut off at the end, or are said again by us.
              and (length(words) < 16
                   or position(left(words, 40) in concat(exchange ->> 'customer', E'\n', exchange ->> 'reply')) = 0)))
            || case when s.context_data #>> '{checkout,address}' = words or s.context_data #>> '{checkout,note}' = words
                    then '{"checkout": {}}'::jsonb else '{}' end
            || case when s.context_data ? 'terms' then jsonb_build_object('terms', (
                        select coalesce(jsonb_agg(term order by number), '[]')
                        from jsonb_array_elements(s.context_data -> 'terms') with ordinality as made (term, number)
                        where not terms @> term))
                    else '{}' end
    where s.customer_phone = phone and words is not null and s.context_data ? 'history'
$$;
