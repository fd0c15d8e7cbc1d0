-- Where a word of the catalogue is found by a misspelt one (see similar_words): under itself, under itself with "?" for
-- any one letter, the same for its stem after "-", and under its sound after "~".
create or replace function word_keys(word text) returns text[]
language sql immutable strict parallel safe
begin atomic
    select array_agg(distinct key)
    from (select mark || form as key from (values ('', word), ('-', word_stem(word))) forms (mark, form)
          union all
          select mark || overlay(form placing '?' from place for 1)
          from (values ('', word), ('-', word_stem(word))) forms (mark, form)
          cross join lateral generate_series(1, length(form)) as place
          union all
          select '~' || word_sound(word)) keys;
end;
