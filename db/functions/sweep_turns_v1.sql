-- Claims again the turns whose lease has ended, one message each. options: {"lease_s", "limit"}.
-- A turn that holds a token but has nothing to answer is set free. Returns one JSON object per turn claimed.
create or replace function sweep_turns(options jsonb) returns setof jsonb
language plpgsql set enable_seqscan = off as $$
declare
    overdue text[];
begin
    overdue := array(
        select t.customer_phone from turns t
        where t.token is not null and t.lease_until <= clock_timestamp()
          and t.customer_phone in (select o.customer_phone from turns o
                                   where o.token is not null and o.lease_until <= clock_timestamp()
                                   order by o.lease_until limit (options ->> 'limit')::integer)
        order by t.customer_phone for update skip locked);
    update turns set token = null, lease_until = null, swept = false where customer_phone = any (overdue);
    return query select * from claim_turns(overdue, (options ->> 'lease_s')::double precision, 1, 0, true);
end
$$;
