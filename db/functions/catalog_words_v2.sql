-- The words of a text in order, in the one form in which the catalogue is searched: lower case, no accents (n for ñ),
-- one spelling, amounts in grams, millilitres and units ("1,5 Lts" is 1500ml); "sin gas" is singas and gas. Only a-z,
-- 0-9 and points between digits are left. The units are those of worker/language/data/units.toml. Immutable, for generated columns, and calls nothing outside pg_catalog,
-- because pg_restore computes such columns with an empty search path.
create or replace function catalog_words(value text) returns text[]
language plpgsql immutable strict parallel safe as $$
declare
    units constant text := -- units
        'kilogramos|mililitros|kilogramo|mililitro|unidades|docenas|docena|gramos|litros|unidad|gramo|kilos|litro|kilo|unid|grs|kgs|lts|mls|uds|cc|cl|gr|kg|lt|ml|ud|un|g|k|l|u';
    rule text[];
begin
    -- Ordinal signs go first: decomposed, they would be letters.
    value := lower(regexp_replace(normalize(translate(value, 'ºª°', '   '), NFKD), '[\u0300-\u036f]', '', 'g'));
    foreach rule slice 1 in array array[
        ['(\d),(?=\d)', '\1.'],
        ['[^a-z0-9./⁄]+|\.(?!\d)|(?<!\d)\.', ' '],
        ['\m1[/⁄]2\M|\mmedi[oa]\M(?= (kilo|kg|litro|docena))', '0.5'],
        ['\m1[/⁄]4\M|\m(un )?cuarto( de)?\M(?= (kilo|kg|litro))', '0.25'],
        ['\m3[/⁄]4\M|\mtres cuartos( de)?\M(?= (kilo|kg|litro))', '0.75'],
        ['\m(un |1 )?(kilo|litro) y (medio|0.5)\M', '1.5 \2'],
        ['(?<![\d.] ?)\m(un |una )?(kilo|litro|docena)\M', '1 \2'],
        ['\myogh?urt?h?(e?s)?\M', 'yogur'],
        ['\m(sh|ch)amp(u|oo|oing)(e?s)?\M', 'champu'],
        ['\m(wh?iske?y|guisqui)(e?s)?\M', 'whisky'],
        ['\msin ([a-z]{3,})', 'sin\1 \1'],
        ['(\d)x(?=\d)|\mx(?=\d)', '\1 x '],
        ['(?<![\d.])(\d{1,6}(?:\.\d{1,4})?) ?(' || units || ')\M', '\1_\2 '],
        ['[/⁄]', ' ']
    ] loop
        value := regexp_replace(value, rule[1], rule[2], 'g');
    end loop;
    -- By now a size is one word, number and unit joined by "_".
    return coalesce((
        select array_agg(case when unit = '' then left(word, 60) else
                   trim_scale(word::numeric * case when unit ~ '^[kl]' then 1000 when unit ~ '^d' then 12
                                                   when unit = 'cl' then 10 else 1 end)
                   || case when unit ~ '^[kg]' then 'g' when unit ~ '^[du]' then 'u' else 'ml' end
               end order by place)
        from (select split_part(token, '_', 1) as word, split_part(token, '_', 2) as unit, place
              from string_to_table(value, ' ') with ordinality as tokens (token, place)
              where token <> '') parts), '{}');
end
$$;
