-- What a folded Spanish noun or adjective has in common with its plural and its other gender: luz, luces; dulce,
-- dulces; pan, panes; rallado, rallada; kiwi, kiwis. The Spanish stemmer of PostgreSQL is made for verbs as well: with it
-- bebida is bebe, coca is cocido and higo is higado, but kiwis are not kiwi and nueces are not nuez.
create or replace function word_stem(word text) returns text
language sql immutable strict parallel safe
return regexp_replace(regexp_replace(regexp_replace(regexp_replace(word,
    '^(..+)ces?$', '\1z'), '^(...+)es?$', '\1'), '^(..+)[ao]s?$', '\1o'), '^(...+)s$', '\1');
