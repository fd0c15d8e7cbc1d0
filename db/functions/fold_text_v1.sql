-- Lower case without accents, for search. Immutable, so that a generated column may use it; the embedded PostgreSQL
-- has no unaccent extension.
create or replace function fold_text(value text) returns text
language sql immutable strict parallel safe as $$
    select translate(lower(value), 'áàâäãéèêëíìîïóòôöõúùûüñç', 'aaaaaeeeeiiiiooooouuuunc')
$$;
