-- What a word of a search term may mean, as queries that widen: `said` is what is written (a bare number is any size:
-- "coca 1.5"); `likely` has the likeliest other word as well, if no product has what is said; `possible` also has
-- further guesses and what begins so. A word that products have is no slip of another. Without `typos` the three are
-- the same.
create or replace function word_meanings(
    word text, before text, after text, typos boolean, out said tsquery, out likely tsquery, out possible tsquery
)
language plpgsql stable as $$
declare
    others text[];
begin
    said := case when word ~ '^[0-9]{1,6}([.][0-9]{1,4})?$'
        then concat_ws('|', word, word || 'ml', word || 'g', word || 'u',
                       trim_scale(word::numeric * 1000) || 'ml', trim_scale(word::numeric * 1000) || 'g')
        else word_stem(word) end;
    likely := said;
    if typos and word ~ '^[a-z]{2}.' then
        others := similar_words(word);
        said := concat_ws('|', said, joined_words(word, before, after));
        likely := case when has_products(said, 1) then said else concat_ws('|', said, others[1])::tsquery end;
        possible := case when has_products(said, 1) then said else
            concat_ws('|', said, word || ':*',
                      (select string_agg(word_stem(other), '|') from unnest(others) as other))::tsquery end;
    else
        possible := said;
    end if;
end
$$;
