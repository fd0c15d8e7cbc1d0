-- Active products that a customer may mean by a search term, best first: those of a category of that name; those with
-- the most and weightiest of its words (see term_words), in the name rather than in brand and format, at its beginning
-- rather than later; those in stock; those with the shortest names. Only where nothing has all words as they are
-- written, it counts what else may be meant by them (see word_meanings): 0.85 and 0.7 of the weight. A term "#A-1" is
-- no words: it finds the product whose sku is A-1; by "!tabla" nothing else may be meant. A stock of null is one that the
-- shop does not count: always there.
create or replace function find_products(term text, max_results integer)
returns table (
    id bigint, name text, brand text, category text, format text, price numeric, currency text, stock numeric,
    sku text, unit text, step numeric
)
language plpgsql stable strict set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    typos boolean;
    q record;
    in_categories bigint[];
    wanted tsquery;
begin
    if starts_with(term, '#') then
        return query
            select p.id, p.name, p.brand, c.name, p.format, p.price, p.currency, p.stock, p.sku, p.unit, p.step
            from products p join categories c on c.id = p.category_id
            where p.active and p.sku = substr(term, 2)
            limit max_results;
        return;
    end if;
    foreach typos in array case when starts_with(term, '!') then array[false] else array[false, true] end loop
        select array_agg(t.weight) as weights, array_agg((t.word || ':D')::tsquery) as written,
               array_agg(m.said) as said, array_agg(m.likely) as likely, array_agg(m.possible) as possible,
               all_of(m.likely) filter (where t.weight > 0) as all_words,
               all_of(m.likely) filter (where t.needed and known) as needed_words,
               all_of(m.possible) filter (where t.needed and known) as guessed_words,
               array_agg(m.possible) filter (where t.needed and known) as any_word
        into q
        from term_words(term) t
        cross join lateral word_meanings(t.word, t.before, t.after, typos) m
        cross join lateral (
            select not typos or has_products(m.possible, 1)
                   or exists (select from categories c where c.search @@ m.likely)) k (known);
        in_categories := array(select c.id from categories c where c.search @@ q.needed_words);
        exit when in_categories <> '{}' or has_products(q.needed_words, 1);
    end loop;
    wanted := case when q.needed_words is null then null
                   when has_products(q.all_words, max_results) then q.all_words
                   when has_products(q.needed_words, max_results) then q.needed_words
                   when has_products(q.guessed_words, max_results) then q.guessed_words
                   -- Words of very many products are left out: to rank them all would be slow, and they tell little.
                   else coalesce((select any_of(one) from unnest(q.any_word) as one where not has_products(one, 500)),
                                 (select any_of(one) from unnest(q.any_word) as one)) end;
    return query
        select p.id, p.name, p.brand, c.name, p.format, p.price, p.currency, p.stock, p.sku, p.unit, p.step
        from products p join categories c on c.id = p.category_id
        where p.active and (p.search @@ wanted or p.category_id = any (in_categories))
        order by p.category_id = any (in_categories) desc,
                 (select sum(w.weight * (case when p.search @@ w.said then 1 when p.search @@ w.likely then 0.85
                                              when p.search @@ w.possible then 0.7 else 0 end
                                         + 0.01 * (p.search @@ w.written)::integer))
                  from unnest(q.weights, q.written, q.said, q.likely, q.possible)
                      as w (weight, written, said, likely, possible)) desc,
                 ts_rank('{0,0.5,0.9,1}', p.search, (select any_of(one) from unnest(q.likely) as one)) desc,
                 coalesce(p.stock > 0, true) desc, length(p.name), p.id
        limit max_results;
end
$$;
