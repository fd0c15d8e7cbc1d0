-- All ids of the customer whom an id of WhatsApp's means: the one under which everything of theirs stands first.
create or replace function linked_ids(id_of_whatsapp text) returns text[]
language sql stable as $$
    select customer || array(select alias from customer_ids
                             where customer_phone = customer and (until is null or until > now()) order by 1)
    from customer_of(id_of_whatsapp) customer
$$;
