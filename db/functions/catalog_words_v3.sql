-- The words of a text in order, in the one form in which the catalogue is searched: lower case, no accents (n for ñ),
-- one spelling, short forms of price lists in full ("s/", "hig."), amounts in grams, millilitres and units ("1,5 Lts" is
-- 1500ml); "sin gas" is singas and gas. Only a-z, 0-9 and points between digits are left. Units and short forms are those
-- of worker/language/data/units.toml. Immutable, for generated columns, and calls nothing outside pg_catalog, because
-- pg_restore computes such columns with an empty search path.
create or replace function catalog_words(value text) returns text[]
language plpgsql immutable strict parallel safe as $$
declare
    units constant text := -- units
        'kilogramos|mililitros|kilogramo|mililitro|unidades|docenas|docena|gramos|litros|unidad|gramo|kilos|litro|kilo|unid|grs|kgs|lts|mls|uds|cc|cl|gr|kg|lt|ml|ud|un|g|k|l|u';
    short_forms constant jsonb := -- short forms
        '{"acei":"aceite","aceit":"aceite","acond":"acondicionador","acondic":"acondicionador","acte":"aceite","alfaj":"alfajor","alim":"alimento","amb":"ambiente","arv":"arveja","arvej":"arveja","az":"azucar","azuc":"azucar","bizc":"bizcocho","bizcoch":"bizcocho","caram":"caramelo","cepill":"cepillo","cerv":"cerveza","champ":"champu","choc":"chocolate","chocol":"chocolate","condim":"condimento","cong":"congelado","congel":"congelado","cza":"cerveza","dce":"dulce","dent":"dental","descaf":"descafeinado","descr":"descremada","descrem":"descremada","desinf":"desinfectante","desod":"desodorante","desodor":"desodorante","det":"detergente","deterg":"detergente","dlce":"dulce","fdo":"fideo","fdos":"fideo","fid":"fideo","gall":"galletita","gallet":"galletita","gaseo":"gaseosa","gseosa":"gaseosa","hamb":"hamburguesa","hambur":"hamburguesa","hamburg":"hamburguesa","har":"harina","harin":"harina","hig":"higienico","higien":"higienico","insec":"insecticida","insect":"insecticida","inst":"instantaneo","instan":"instantaneo","instant":"instantaneo","integ":"integral","jab":"jabon","jbn":"jabon","jgo":"jugo","jgos":"jugo","lch":"leche","lche":"leche","lent":"lenteja","lentej":"lenteja","liq":"liquido","mant":"manteca","mantec":"manteca","maq":"maquina","mayon":"mayonesa","medall":"medallon","merm":"mermelada","mermel":"mermelada","min":"mineral","miner":"mineral","mozz":"mozzarella","mozza":"mozzarella","muza":"mozzarella","muzz":"mozzarella","nat":"natural","natur":"natural","oreg":"oregano","orig":"original","qso":"queso","qsos":"queso","rall":"rallado","salch":"salchicha","saq":"saquito","saqs":"saquito","serv":"servilleta","servill":"servilleta","shamp":"champu","shampu":"champu","suaviz":"suavizante","surt":"surtido","toall":"toalla","tom":"tomate","tomat":"tomate","tost":"tostada","trad":"tradicional","tradic":"tradicional","vno":"vino","yog":"yogur","yogh":"yogur"}';
    rule text[];
begin
    -- Ordinal signs go first: decomposed, they would be letters.
    value := lower(regexp_replace(normalize(translate(value, 'ºª°', '   '), NFKD), '[\u0300-\u036f]', '', 'g'));
    foreach rule slice 1 in array array[
        ['(\d),(?=\d)', '\1.'],
        ['(\d) ?min\M', '\1 minutos'], ['\ms ?/ ?(?=[a-z]{2})(?!x*l\M)', 'sin '], ['\mc ?/ ?(?=[a-z]{2})', 'con '], ['\mp ?/ ?(?=[a-z]{2})', 'para '],
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
        select array_agg(case when unit = '' then coalesce(short_forms ->> word, left(word, 60)) else
                   trim_scale(word::numeric * case when unit ~ '^[kl]' then 1000 when unit ~ '^d' then 12
                                                   when unit = 'cl' then 10 else 1 end)
                   || case when unit ~ '^[kg]' then 'g' when unit ~ '^[du]' then 'u' else 'ml' end
               end order by place)
        from (select split_part(token, '_', 1) as word, split_part(token, '_', 2) as unit, place
              from string_to_table(value, ' ') with ordinality as tokens (token, place)
              where token <> '') parts), '{}');
end
$$;
