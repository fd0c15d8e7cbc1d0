-- The first 12 different words of a search term with their neighbours and weights: 1; a number, size or packing 0.4; a
-- letter, unit or little word 0.1 ("te" is tea here), and the least are left out. A product needs to have the heaviest
-- words, but never little ones. "Sin gas" (singas, gas) is the word singas where the catalogue knows it; what shall not
-- be in a product weighs -0.5, unless nothing else is asked for. Packings are the containers of
-- worker/language/data/units.toml.
create or replace function term_words(term text)
returns table (word text, before text, after text, weight double precision, needed boolean)
language sql stable as $$
    with words as (
        select word, place, lag(word) over (order by place) as before, lead(word) over (order by place) as after,
               ts_lexize('spanish_stem', word) = '{}' and word <> 'te' as is_little,
               exists (select from search_words known where known.word = all_words.word) as is_known
        from unnest(catalog_words(left(term, 300))) with ordinality as all_words (word, place)
    ), weighed as (
        select distinct on (word) word, before, after, place, is_known,
               word = 'sin' || after as is_without, coalesce(before = 'sin' || word, false) as is_unwanted,
               case when word ~ '^[0-9.]+(g|ml|u)?$' then 0.4
                    when word ~ -- containers
                       '^(bandeja|bolsita|botella|garrafa|paquete|frasco|sachet|barra|bidon|bolsa|brick|rollo|sobre|tarro|bote|caja|lata|pack|pote)(e?s)?$' then 0.4
                    when is_little or word ~ '^([a-z]|uds?|kgs?|grs?|lts?|ml|cl|cc|unidad|unidades)$' then 0.1
                    else 1 end::double precision as weight
        from words where not is_little or length(word) > 2
        order by word, place
    ), judged as (
        select word, before, after, place,
               case when is_unwanted and (bool_or(is_without and is_known) over () or is_known and bool_or(
                        weight = 1 and not is_without and not is_unwanted) over ()) then -0.5 else weight end as weight
        from weighed where is_known or is_without is not true
    )
    select word, before, after, weight, weight > 0.1 and weight = max(weight) over ()
    from judged order by place limit 12
$$;
