-- Whether at least this many active products match.
create or replace function has_products(query tsquery, number integer) returns boolean
language plpgsql stable as $$
begin
    return number <= (
        select count(*) from (select from products where active and search @@ query limit number) found);
end
$$;
