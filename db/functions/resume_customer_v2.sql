-- Gives a customer who waits for a person back to the AI, or takes note that somebody has seen to one whose wait is over.
-- What was asked before is open no more: the person may have asked something else.
-- Returns `resumed`, `not_waiting`, or `busy` while a turn of the customer is under way, whose commit would bring the wait
-- back.
create or replace function resume_customer(phone text) returns text
language plpgsql as $$
declare
    under_way boolean;
begin
    select t.token is not null into under_way from turns t where t.customer_phone = phone for update;
    if under_way then
        return 'busy';
    end if;
    update customer_sessions s
    set context_data = s.context_data - array['human_until', 'human_told', 'human_since', 'human_reason', 'asking', 'numbered'],
        version = nextval('session_version')
    where s.customer_phone = phone and s.context_data ? 'human_until';
    return case when found then 'resumed' else 'not_waiting' end;
end
$$;
