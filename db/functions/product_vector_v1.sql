-- What full-text search looks at in a product: stems, labelled A for the first word of its name (in Spanish the thing
-- itself), B for the rest of the name, C for brand and format; and the words as they are, labelled D.
create or replace function product_vector(name text, brand text, format text) returns tsvector
language sql immutable strict parallel safe
begin atomic
    select coalesce(
        string_agg(format('%s:%s%s %s:%sD', word_stem(word), place, label, word, 2000 + place), ' '), '')::tsvector
    from (select word, place, case place when 1 then 'A' else 'B' end as label
          from unnest(catalog_words(name)) with ordinality as named (word, place)
          union all
          select word, 1000 + place, 'C'
          from unnest(catalog_words(concat(brand, ' ', product_vector.format)))
              with ordinality as described (word, place)) words;
end;
