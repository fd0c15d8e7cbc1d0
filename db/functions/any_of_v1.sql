-- The query that matches what any of the given ones matches.
create or replace aggregate any_of(tsquery) (sfunc = tsquery_or, stype = tsquery, parallel = safe);
