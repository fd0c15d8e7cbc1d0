-- Puts what an order has taken off the stock back, once: nothing of it counts as taken afterwards. The caller has locked
-- the order.
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
    update order_items set taken = 0 where order_id = cancelled_order and taken > 0;
end
$$;
