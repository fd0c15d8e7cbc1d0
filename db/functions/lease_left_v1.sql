-- Seconds left of the lease of each turn that still holds its token, on PostgreSQL's clock.
create or replace function lease_left(phones text[], tokens uuid[]) returns table (token uuid, left_s double precision)
language sql stable as $$
    select t.token, extract(epoch from t.lease_until - clock_timestamp())::double precision
    from turns t
    join unnest(phones, tokens) as given (phone, token) on given.phone = t.customer_phone and given.token = t.token
$$;
