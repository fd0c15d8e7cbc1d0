-- Counts what was asked: how often each form in each hour, what came after what in a conversation, and the first hit on each
-- reply that was made ahead. asked: {"forms": an array of {"form_key", "form", "hour" (seconds since 1970), "askers", "asked"},
-- "followers": an array of {"after_key", "form_key", "asked"}, "ahead": keys of replies made ahead that were given}.
-- A form is words that many may say (worker.language.sharing). Its words are kept from its second asker on: until then the
-- row knows their digest. `askers` has a bit for each of 63 groups of customers, so that nobody can be told from it.
-- All replies share these rows, so nobody may stop them: where somebody holds one for longer than `lock_timeout`, this is
-- not counted. A forecast can do without.
create or replace function count_requests(asked jsonb) returns void
language plpgsql set lock_timeout = '100ms' set enable_seqscan = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan as $$
declare
    ahead text[] := array(select jsonb_array_elements_text(asked -> 'ahead'));
    hits bigint;
begin
    insert into request_forms as f (form_key, askers, form)
    select a.form_key, a.askers, case when a.askers & (a.askers - 1) <> 0 then a.form end
    from (select form_key, min(form) as form, bit_or(askers) as askers
          from jsonb_to_recordset(asked -> 'forms') as r (form_key text, form text, askers bigint) group by form_key) a
    where not exists (select from request_forms k where k.form_key = a.form_key and k.form is not null
                      and k.asked_on = current_date)
    order by a.form_key
    on conflict (form_key) do update
    set askers = f.askers | excluded.askers, asked_on = current_date,
        form = coalesce(f.form, excluded.form, case
            when (f.askers | excluded.askers) & ((f.askers | excluded.askers) - 1) <> 0
            then (select min(r ->> 'form') from jsonb_array_elements(asked -> 'forms') r
                  where r ->> 'form_key' = f.form_key) end);

    insert into request_hours as h (hour, form_key, asked)
    select to_timestamp(r.hour), r.form_key, r.asked
    from jsonb_to_recordset(asked -> 'forms') as r (hour bigint, form_key text, asked integer) order by 1, 2
    on conflict (hour, form_key) do update set asked = h.asked + excluded.asked;

    insert into request_followers as f (after_key, form_key, asked)
    select r.after_key, r.form_key, r.asked
    from jsonb_to_recordset(asked -> 'followers') as r (after_key text, form_key text, asked integer) order by 1, 2
    on conflict (after_key, form_key) do update set asked = f.asked + excluded.asked;

    if ahead = '{}' then return; end if;
    update replies_ahead a set hit_at = now()
    where a.id = any (array(select k.id from replies_ahead k where k.reply_key = any (ahead) and k.hit_at is null
                            order by k.id for no key update));
    get diagnostics hits = row_count;
    if hits > 0 then
        perform add_totals(jsonb_build_array(
            jsonb_build_object('name', 'precache_hits', 'labels', '{}'::jsonb, 'value', hits)));
    end if;
exception when lock_not_available then
    return;
end
$$;
