-- Seconds left of the lease of each turn that still holds its token, on PostgreSQL's clock.
create or replace function lease_left(phones text[], tokens uuid[]) returns table (token uuid, left_s double precision)
language sql stable set enable_seqscan = off set enable_mergejoin = off as $$
    select token, extract(epoch from lease_until - clock_timestamp())::double precision
    from (select * from turns where customer_phone = any (phones) offset 0) t
    where token = any (tokens)
$$;
