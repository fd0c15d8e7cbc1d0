-- How a folded word sounds in Spanish, roughly: "serbesa" and "cerveza", "aros" and "arroz" are one.
create or replace function word_sound(word text) returns text
language sql immutable strict parallel safe
return regexp_replace(translate(regexp_replace(regexp_replace(regexp_replace(word,
    'c(?=[ei])|[zx]', 's', 'g'), 'qu(?=[ei])|c(?!h)|q', 'k', 'g'), 'g(?=[ei])|ll', 'j', 'g'),
    'vyh', 'bj'), '(.)\1+', '\1', 'g');
