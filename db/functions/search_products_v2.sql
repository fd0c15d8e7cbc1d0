-- What find_products finds, with the stock in whole units, as workers of the version before read it: they know neither a
-- fraction nor a stock that nobody counts, for which they had 100.
create or replace function search_products(term text, max_results integer)
returns table (
    id bigint, name text, brand text, category text, format text, price numeric, currency text, stock integer,
    sku text, unit text, step numeric
)
language sql stable strict as $$
    select p.id, p.name, p.brand, p.category, p.format, p.price, p.currency,
           least(floor(coalesce(p.stock, 100)), 2000000000)::integer, p.sku, p.unit, p.step
    from find_products(term, max_results) p
$$;
