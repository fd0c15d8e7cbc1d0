-- When a customer will have been quiet for long enough: `quiet_s` after the last message that waits for an answer, at
-- most `longest_s` after the first. Null where nothing waits, or so much that one turn holds no more.
create or replace function quiet_at(
    phone text, quiet_s double precision, longest_s double precision, max_messages integer
) returns timestamptz
language sql stable set enable_seqscan = off set enable_mergejoin = off as $$
    select case when count(*) < max_messages then least(
        max(accepted_at) + make_interval(secs => quiet_s), min(accepted_at) + make_interval(secs => longest_s)) end
    from (select accepted_at from messages m
          where m.customer_phone = phone and m.state = 'accepted' order by m.id limit max_messages) waiting
$$;
