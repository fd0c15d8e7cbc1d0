-- Erases what is older than `keep_days`: texts, names and numbers go, figures stay. Never of a customer with a turn or
-- unanswered messages, nor a reply or an event of an order that is not published. Handles at most `max_rows` rows of one
-- kind: expired sessions (up to 10,000), messages, orders, customers, their other ids, changes of circuits that no figure
-- counts and that are not the last of their provider or model. Returns how many there were; call again until it is 0.
create or replace function apply_retention(keep_days integer, max_rows integer) returns integer
language plpgsql as $$
declare
    cutoff timestamptz := now() - make_interval(days => keep_days);
    idle text[];
    done integer;
begin
    done := cleanup_expired_sessions();
    if done > 0 then return done; end if;

    idle := idle_customers(array(
        select customer_phone from messages
        where accepted_at < cutoff and customer_phone <> 'erased' and (reply is null or published_at is not null)
          and customer_phone not in (select customer_phone from turns where token is not null)
        order by accepted_at limit max_rows));
    done := erase_messages(array(
        select id from messages
        where customer_phone = any (idle) and accepted_at < cutoff and (reply is null or published_at is not null)
        order by id limit max_rows));
    if done > 0 then return done; end if;

    idle := idle_customers(array(
        select customer_phone from orders
        where created_at < cutoff and customer_phone <> 'erased'
          and not exists (select from order_events e where e.order_id = orders.id and published_at is null)
          and customer_phone not in (select customer_phone from turns where token is not null)
        order by id limit max_rows));
    done := erase_orders(array(
        select id from orders o
        where customer_phone = any (idle) and created_at < cutoff
          and not exists (select from order_events e where e.order_id = o.id and published_at is null)
        order by id limit max_rows));
    if done > 0 then return done; end if;

    idle := idle_customers(array(
        select customer_phone from customers c
        where last_seen_at < cutoff
          and not exists (select from messages m where m.customer_phone = c.customer_phone)
          and not exists (select from orders o where o.customer_phone = c.customer_phone)
          and not exists (select from customer_sessions s where s.customer_phone = c.customer_phone)
        limit max_rows));
    with gone as (
        delete from customers c
        where customer_phone = any (idle) and last_seen_at < cutoff
          and not exists (select from messages m where m.customer_phone = c.customer_phone)
        returning customer_phone
    )
    delete from turns t using gone where t.customer_phone = gone.customer_phone;
    get diagnostics done = row_count;
    if done > 0 then return done; end if;

    delete from customer_ids
    where alias in (select alias from customer_ids i
                    where until <= now()
                       or not exists (select from customers c where c.customer_phone = i.customer_phone)
                    limit max_rows);
    get diagnostics done = row_count;
    if done > 0 then return done; end if;

    delete from events
    where id in (select id from events
                 where kind = 'circuit' and at < cutoff and data ->> 'state' is distinct from 'open'
                   and id not in (select max(id) from events where kind = 'circuit'
                                  group by data ->> 'provider', data ->> 'model')
                 limit max_rows);
    get diagnostics done = row_count;
    return done;
end
$$;
