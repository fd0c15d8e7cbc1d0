-- A person of the shop has edited or deleted what they wrote (called by edit_message and revoke_message alone): the history
-- has the words as they are now. before, after: the words; after is null where they are gone, and then an exchange that
-- holds nothing else goes too.
create or replace function change_echo(phone text, before text, after text) returns void
language sql set enable_seqscan = off as $$
    update customer_sessions s
    set version = nextval('session_version'),
        context_data = s.context_data || jsonb_build_object('history', (
            select coalesce(jsonb_agg(
                       case when is_theirs then exchange || jsonb_build_object('reply', left(coalesce(after, ''), 400))
                            else exchange end order by number)
                   filter (where not is_theirs or coalesce(after, exchange ->> 'customer', '') <> ''), '[]')
            from (select exchange, number, exchange ->> 'reply' = left(before, 400) as is_theirs
                  from jsonb_array_elements(s.context_data -> 'history') with ordinality as told (exchange, number)) told))
    where s.customer_phone = phone and before is not null and s.context_data ? 'history'
$$;
