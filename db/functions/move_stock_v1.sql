-- Adds amounts to the stock of products that the caller has locked (a sale: negative ones); what is not counted stays so.
-- No new version of the catalogue, which would make every cached search out of date with each sale, unless a product
-- becomes available, few or none, or something is put back: what a search has found is at least what is there, never
-- less. The triggers of products pass over what is done under `chasqui.sale`.
create or replace function move_stock(ids bigint[], amounts numeric[]) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    before text[] := array(select availability(stock) from products where id = any (ids) order by id);
begin
    perform set_config('chasqui.sale', 'on', true);
    update products p
    set stock = p.stock + (select sum(amount) from unnest(ids, amounts) moved (id, amount) where moved.id = p.id)
    where p.id = any (ids) and p.stock is not null;
    perform set_config('chasqui.sale', '', true);
    if 0 < any (amounts) or before <> array(select availability(stock) from products where id = any (ids) order by id) then
        update catalog_version set version = version + 1, changed_at = clock_timestamp();
    end if;
end
$$;
