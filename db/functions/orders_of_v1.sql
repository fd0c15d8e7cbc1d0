-- Orders that a turn places: those in "orders", or the single "order" of a worker of two versions before.
create or replace function orders_of(turn jsonb) returns jsonb
language sql immutable parallel safe as $$
    select case when jsonb_typeof(turn -> 'orders') = 'array' then turn -> 'orders'
                when jsonb_typeof(turn -> 'order') = 'object' then jsonb_build_array(turn -> 'order')
                else '[]' end
$$;
