-- Class of a stock, as a request to a model tells it: none, few (up to 5, as worker/catalog/product.py has it), available.
-- Null is a product whose stock the shop does not count: it is always there.
create or replace function availability(stock numeric) returns text
language sql immutable parallel safe as $$
    select case when stock is null then 'available' when stock <= 0 then 'none' when stock <= 5 then 'few'
                else 'available' end
$$;
