-- The query that matches what all of the given ones match.
create or replace aggregate all_of(tsquery) (sfunc = tsquery_and, stype = tsquery, parallel = safe);
