-- Takes a customer's turn from whoever has it, so that nothing of it is committed. The caller holds the lock of the row in
-- `turns`, and claims anew what is left to answer.
create or replace function free_turn(phone text) returns void
language sql set enable_seqscan = off as $$
    -- Whether it has a token is not asked: for that the planner would read all that have one.
    update turns set token = null, lease_until = null, swept = false where customer_phone = phone
$$;
