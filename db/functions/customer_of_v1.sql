-- The customer whom an id of WhatsApp's means: the id itself, unless it is known as another one of somebody's.
create or replace function customer_of(id_of_whatsapp text) returns text
language sql stable as $$
    select coalesce((select customer_phone from customer_ids where alias = id_of_whatsapp and (until is null or until > now())),
                    id_of_whatsapp)
$$;
