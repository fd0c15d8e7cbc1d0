-- Does what accepted messages do to others of their customers, in their order (called by accept_messages alone, which has
-- locked those customers). acts: messages as accept_messages takes them, with "act": "echo" (a person of the shop has
-- written "text"), "edit" (of message "target", to "edited") or "revoke" (of message "target"). options: {"human_wait_s",
-- "session_ttl_s"}. Returns null, or what was revoked as revoke_message_v1.sql gives it, all together.
create or replace function apply_acts(acts jsonb, options jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    one jsonb;
    gone jsonb;
    forgotten jsonb;
begin
    for one in select value from jsonb_array_elements(acts) loop
        if one ->> 'act' = 'echo' then
            perform note_echo(one, options);
        elsif one ->> 'act' = 'edit' then
            perform edit_message(one);
        elsif one ->> 'act' = 'revoke' then
            gone := revoke_message(one);
            forgotten := (
                select jsonb_object_agg(key, coalesce(forgotten -> key, '[]') || value) from jsonb_each(gone));
        end if;
    end loop;
    return forgotten;
end
$$;
