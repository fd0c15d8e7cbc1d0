-- Forgets what was asked longer ago than `keep_days`, and halves what is known of conversations, so that it follows what
-- people do now. Once a day; handles all there is, which a day's retention keeps small. Returns how many rows are gone.
create or replace function forget_requests(keep_days integer) returns integer language plpgsql as $$
declare
    cutoff constant timestamptz := now() - make_interval(days => keep_days);
    gone integer;
    done integer;
begin
    delete from request_hours where hour < cutoff;
    get diagnostics done = row_count;
    delete from request_forms where asked_on < cutoff::date;
    get diagnostics gone = row_count;
    done := done + gone;
    delete from replies_ahead where made_at < cutoff;
    get diagnostics gone = row_count;
    done := done + gone;
    delete from request_followers where asked <= 1;
    get diagnostics gone = row_count;
    update request_followers set asked = asked / 2;
    return done + gone;
end
$$;
