-- Trigger of categories and products: a statement that changes the catalogue makes every cached search out of date.
create or replace function bump_catalog_version() returns trigger
language plpgsql as $$
begin
    update catalog_version set version = version + 1, changed_at = clock_timestamp();
    return null;
end
$$;
