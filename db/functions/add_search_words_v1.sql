-- Trigger of categories and products, where `come` are the new rows: `search_words` has all their words. A word that
-- nothing has any more stays: what is taken for it matches nothing.
create or replace function add_search_words() returns trigger
language plpgsql as $$
begin
    insert into search_words (word)
    select distinct lexeme from come cross join lateral unnest(ts_filter(search, '{d}'))
    where lexeme !~ '^[0-9]' and length(lexeme) between 3 and 30
    order by lexeme
    on conflict do nothing;
    return null;
end
$$;
