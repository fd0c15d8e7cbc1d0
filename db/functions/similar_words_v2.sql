-- Up to 8 words of the catalogue that may be meant by a misspelt one, the likeliest first: those a slip away (a letter
-- too many, missing, wrong or swapped with its neighbour) or of the same sound, then those whose stem, of five letters
-- at least, is a slip away; those that many products have. What is without something ("singluten") is never taken for
-- what is with it.
create or replace function similar_words(misspelt text) returns text[]
language plpgsql stable strict as $$
declare
    stem constant text := word_stem(misspelt);
begin
    return array(
        with slips as materialized (
            select distinct mark, mark || slip as key
            from (values ('', misspelt), ('-', stem)) forms (mark, form)
            cross join lateral generate_series(0, length(form)) as place
            cross join lateral (values
                (form),
                (left(form, place) || '?' || substr(form, place + 1)),
                (left(form, place) || '?' || substr(form, place + 2)),
                (left(form, place) || substr(form, place + 2)),
                (left(form, place) || reverse(substr(form, place + 1, 2)) || substr(form, place + 3))) changed (slip)
            where length(form) between case mark when '' then 3 else 5 end and 30
        )
        select word
        from (select w.word, true as close from search_words w
              where w.keys && (select array_agg(key) || ('~' || word_sound(misspelt)) from slips where mark = '')
              union all
              select w.word, false from search_words w
              where w.keys && (select array_agg(key) from slips where mark = '-')) found
        where word_stem(word) <> stem and (misspelt !~ '^sin' or word ~ '^sin')
        group by word
        order by bool_or(close) desc,
                 (select count(*) from (select from products p where p.search @@ word::tsquery limit 100) uses) desc,
                 word
        limit 8);
end
$$;
