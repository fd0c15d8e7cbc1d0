-- What stands in the place of a message id once the message is erased: the gateway's id may hold the customer's phone
-- number, and a second delivery must still be recognised.
create or replace function erased_id(message_id text) returns text
language sql immutable strict parallel safe as $$
    select 'erased:' || encode(sha256(convert_to(message_id, 'UTF8')), 'hex')
$$;
