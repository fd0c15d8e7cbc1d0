-- A query for a word whose spaces are elsewhere in the catalogue: "cocacola" is coca & cola, "cao" after "cola" is
-- colacao. Null where nothing of the kind is known.
create or replace function joined_words(word text, before text, after text) returns tsquery
language plpgsql stable as $$
declare
    heads constant text[] := array(
        select left(word, place) from generate_series(3, least(length(word), 30) - 3) as place);
begin
    return (
        select string_agg(joined, '|')
        from (select word_stem(w.word) as joined from search_words w
              where w.word in (before || joined_words.word, joined_words.word || after)
              union all
              select format('(%s & %s)', word_stem(head.word), word_stem(tail.word))
              from search_words head
              join search_words tail on tail.word = substr(joined_words.word, length(head.word) + 1)
              where head.word = any (heads)) found);
end
$$;
