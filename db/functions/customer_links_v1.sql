-- What messages tell about who is who, and is not known yet, in their order (called by accept_messages alone). incoming:
-- messages as accept_messages takes them. A message that was delivered before tells nothing: since then more may have
-- changed. Returns [{"alias", "customer_phone", "former"}], as link_customers takes it.
create or replace function customer_links(incoming jsonb) returns jsonb
language plpgsql stable set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
begin
    return (
        select coalesce(jsonb_agg(link order by place, number), '[]')
        from (select distinct on (m ->> 'message_id') m, place
              from jsonb_array_elements(incoming) with ordinality as input (m, place)
              where m ? 'links' order by m ->> 'message_id', place) once
        cross join jsonb_array_elements(m -> 'links') with ordinality as told (link, number)
        where (customer_of(link ->> 'alias') <> customer_of(link ->> 'customer_phone')
               or link @> '{"former": true}'
                  and ((select alias from customer_ids where alias = link ->> 'alias' and until is null) is not null
                       or (select alias from customer_ids where alias = link ->> 'customer_phone' and until > now())
                          is not null))
          and (select id from messages e where e.message_id = m ->> 'message_id') is null);
end
$$;
