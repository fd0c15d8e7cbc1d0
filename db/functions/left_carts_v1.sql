-- Carts of conversations that have ended within the last day, or that were left before those and not spoken of there, of
-- customers who have none now; their sessions may or may not be cleaned up already. No row for who left nothing.
create or replace function left_carts(phones text[]) returns table (customer_phone text, cart_data jsonb)
language sql stable as $$
    select phone, coalesce(s.left_cart, k.cart_data)
    from unnest(phones) phone
    left join (select *, coalesce(nullif(cart_data, '[]'), context_data -> 'kept', '[]') as left_cart
               from customer_sessions) s on s.customer_phone = phone
    left join kept_carts k on k.customer_phone = phone
    where coalesce(s.left_cart, k.cart_data) <> '[]'
      and coalesce(s.expires_at + interval '1 day', k.kept_until) > now()
      and coalesce(s.expires_at, now()) <= now()
$$;
