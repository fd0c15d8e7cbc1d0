-- Three roles, none with more rights than it needs:
--   chasqui_migrator  owns everything and changes the schema: chasqui db upgrade, chasqui catalog import
--   chasqui_worker    runs the service and the operators' commands: changes rows, never the schema or, but for the stock
--                     that is sold, the catalogue
--   chasqui_report    reads figures (chasqui report, Grafana): no phone number, no name, no text
-- Run it as a superuser in Chasqui's database after `chasqui db upgrade`, and again after every upgrade:
--   psql --single-transaction --set ON_ERROR_STOP=1 --file db/roles.sql chasqui
-- The roles have no passwords until you give them some: \password chasqui_worker

do $$
declare
    name text;
begin
    foreach name in array array['chasqui_migrator', 'chasqui_worker', 'chasqui_report'] loop
        if not exists (select from pg_roles where rolname = name) then
            execute format('create role %I login', name);
        end if;
        execute format('grant connect on database %I to %I', current_database(), name);
    end loop;
    execute format('revoke all on database %I from public', current_database());
    for name in select oid::regclass from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' loop
        execute format('alter table %s owner to chasqui_migrator', name);
    end loop;
    for name in select oid::regprocedure from pg_proc where pronamespace = 'public'::regnamespace loop
        execute format('alter routine %s owner to chasqui_migrator', name);
    end loop;
end
$$;
alter sequence session_version owner to chasqui_migrator;

revoke all on schema public from public;
grant usage, create on schema public to chasqui_migrator;
grant usage on schema public to chasqui_worker, chasqui_report;
revoke all on all tables in schema public from public, chasqui_worker, chasqui_report;
revoke all on all sequences in schema public from public, chasqui_worker, chasqui_report;
revoke all on all routines in schema public from public, chasqui_worker, chasqui_report;
-- What the next upgrade makes is not everybody's either, and workers may run it at once.
alter default privileges for role chasqui_migrator revoke execute on routines from public;
alter default privileges for role chasqui_migrator in schema public grant execute on routines to chasqui_worker;

grant execute on all routines in schema public to chasqui_worker;
grant usage on sequence session_version to chasqui_worker;
grant select on alembic_version, catalog_version, categories, products, search_words to chasqui_worker;
grant select, insert, update on messages, orders, order_events, deliveries, metric_totals to chasqui_worker;
grant select, insert on order_items, ai_metrics to chasqui_worker;
grant select, insert, update, delete on request_forms, request_hours, request_followers, replies_ahead to chasqui_worker;
-- A sale: what is left of a product.
grant update (stock) on products to chasqui_worker;
grant update (version, changed_at) on catalog_version to chasqui_worker;
grant select, insert, delete on events, metric_hours, latency_hours, call_hours, channel_hours to chasqui_worker;
grant select, insert, update, delete on customers, customer_ids, customer_sessions, kept_carts, turns to chasqui_worker;

grant execute on function metric_sums, call_sums, calls_of, channel_sums to chasqui_report;
grant select on ai_metrics, metric_hours, latency_hours, call_hours, channel_hours, events, replies_ahead to chasqui_report;
grant select (created_at, updated_at, expires_at) on customer_sessions to chasqui_report;
grant select (created_at, total, currency, status, status_at) on orders to chasqui_report;
grant select (accepted_at, state, reason) on messages to chasqui_report;
grant select (at, sent_at, delivered_at, read_at, failed_at, code) on deliveries to chasqui_report;
