-- Adds to metric_totals: an array of {"name", "labels", "value"}. All replies share these rows, so nobody may stop them:
-- where somebody holds one for longer than `lock_timeout`, what is to be added stands in events (kind 'uncounted'), and
-- whoever adds next adds it too.
create or replace function add_totals(added jsonb) returns void
language plpgsql set lock_timeout = '100ms' set enable_seqscan = off as $$
begin
    with late as (
        delete from events where kind = 'uncounted' returning data -> 'totals' as totals
    ), every as (
        select added as totals union all select totals from late
    )
    insert into metric_totals as t (name, labels, value)
    select a.name, a.labels, sum(a.value)
    from every cross join lateral jsonb_to_recordset(every.totals) as a (name text, labels jsonb, value bigint)
    group by 1, 2 order by 1, 2
    on conflict (name, labels) do update set value = t.value + excluded.value;
exception when lock_not_available then
    insert into events (kind, data) values ('uncounted', jsonb_build_object('totals', added));
end
$$;
