-- Trigger of products, before a price changes: notes what it was and when it changed.
create or replace function note_price() returns trigger language plpgsql as $$
begin
    new.price_before := old.price;
    new.price_changed_at := now();
    return new;
end
$$;
