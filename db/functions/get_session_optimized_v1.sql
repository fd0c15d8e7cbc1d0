-- The live session of a customer, no row where there is none or it has expired. `total_orders` uses the index of
-- orders on customer_phone.
create or replace function get_session_optimized(customer_phone_param text)
returns table (
    session_id uuid, customer_phone text, session_state text, cart_data jsonb, context_data jsonb,
    customer_name text, total_orders bigint, version bigint
)
language sql stable as $$
    select s.id, s.customer_phone, s.session_state, s.cart_data, s.context_data, c.name,
           (select count(*) from orders o where o.customer_phone = s.customer_phone), s.version
    from customer_sessions s
    left join customers c on c.customer_phone = s.customer_phone
    where s.customer_phone = customer_phone_param and s.expires_at > now()
$$;
