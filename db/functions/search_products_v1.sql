-- Active products that match a search term: those whose name has all of its words first, then any of them, then those
-- of a category of that name; products in stock before others.
create or replace function search_products(term text, max_results integer)
returns table (id bigint, name text, brand text, category text, format text, price numeric, currency text, stock integer)
language sql stable as $$
    with query as (
        select plainto_tsquery('spanish', fold_text(term)) as every_word,
               nullif(replace(plainto_tsquery('spanish', fold_text(term))::text, '&', '|'), '')::tsquery as any_word
    )
    select p.id, p.name, p.brand, c.name, p.format, p.price, p.currency, p.stock
    from query
    join products p on p.active and (p.search @@ query.any_word or p.category_id = any (array(
        select id from categories where to_tsvector('spanish', fold_text(categories.name)) @@ query.every_word)))
    join categories c on c.id = p.category_id
    order by p.search @@ query.every_word desc, ts_rank(p.search, query.any_word) desc, p.stock > 0 desc,
             length(p.name), p.id
    limit max_results
$$;
