-- Puts what an order has taken off the stock back. The caller has locked the order, and gives it a final status: it
-- happens once.
create or replace function put_back(cancelled_order bigint) returns void
language plpgsql set enable_seqscan = off set enable_mergejoin = off as $$
declare
    ids bigint[] := array(select product_id from order_items
                          where order_id = cancelled_order and taken > 0 and product_id is not null order by id);
    amounts numeric[] := array(select taken from order_items
                               where order_id = cancelled_order and taken > 0 and product_id is not null order by id);
begin
    perform from products where id = any (ids) order by id for no key update;
    perform move_stock(ids, amounts);
end
$$;
