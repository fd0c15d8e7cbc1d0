-- Counts what was asked, in the commit of record_metrics: how often each form in each hour, and what came after what in
-- a conversation. metrics: as record_metrics_v5.sql takes it, where a row may have "asked": {"form_key", "form", "asker"
-- (0 to 62), "after_key" (null: nothing came before), "ahead_key" (key of a reply that was made ahead, else null)}. fresh:
-- reply ids that record_metrics found to be new. Notes the first hit on each reply that was made ahead.
-- A form is words that many may say (worker.language.sharing). Its words are kept from its second asker on: until then the
-- row knows their digest. `askers` has a bit for each of 63 groups of customers, so that nobody can be told from it.
-- All replies share these rows, so nobody may stop them: where somebody holds one for longer than `lock_timeout`, this is
-- not counted. A forecast can do without.
create or replace function count_requests(metrics jsonb, fresh uuid[]) returns void
language plpgsql set lock_timeout = '100ms' set enable_seqscan = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan as $$
declare
    this_hour constant timestamptz := date_trunc('hour', now(), 'UTC');
    asked constant jsonb := (
        select jsonb_agg(r -> 'asked') from jsonb_array_elements(metrics) r
        where jsonb_typeof(r -> 'asked') = 'object' and (r ->> 'reply_id')::uuid = any (fresh));
    ahead text[];
    hits bigint;
begin
    if asked is null then return; end if;
    insert into request_forms as f (form_key, askers, form)
    select a.form_key, a.askers, case when a.askers & (a.askers - 1) <> 0 then a.form end
    from (select form_key, min(form) as form, bit_or(1::bigint << asker) as askers
          from jsonb_to_recordset(asked) as r (form_key text, form text, asker integer) group by form_key) a
    where not exists (select from request_forms k where k.form_key = a.form_key and k.form is not null
                      and k.asked_on = current_date)
    order by a.form_key
    on conflict (form_key) do update
    set askers = f.askers | excluded.askers, asked_on = current_date,
        form = coalesce(f.form, excluded.form, case
            when (f.askers | excluded.askers) & ((f.askers | excluded.askers) - 1) <> 0
            then (select min(r ->> 'form') from jsonb_array_elements(asked) r where r ->> 'form_key' = f.form_key) end);

    insert into request_hours as h (hour, form_key, asked)
    select this_hour, form_key, count(*) from jsonb_to_recordset(asked) as r (form_key text) group by form_key order by 2
    on conflict (hour, form_key) do update set asked = h.asked + excluded.asked;

    insert into request_followers as f (after_key, form_key, asked)
    select after_key, form_key, count(*) from jsonb_to_recordset(asked) as r (after_key text, form_key text)
    where after_key is not null group by 1, 2 order by 1, 2
    on conflict (after_key, form_key) do update set asked = f.asked + excluded.asked;

    ahead := array(select distinct r ->> 'ahead_key' from jsonb_array_elements(asked) r where r ->> 'ahead_key' is not null);
    if ahead = '{}' then return; end if;
    update replies_ahead a set hit_at = now()
    where a.id = any (array(select k.id from replies_ahead k where k.reply_key = any (ahead) and k.hit_at is null
                            order by k.id for no key update));
    get diagnostics hits = row_count;
    if hits > 0 then
        perform add_totals(jsonb_build_array(jsonb_build_object('name', 'precache_hits', 'labels', '{}'::jsonb, 'value', hits)));
    end if;
exception when lock_not_available then
    return;
end
$$;
