-- Takes note that ids are of one person, in the order given (called by accept_messages alone, which has locked the turns of
-- all their customers). links: [{"alias", "customer_phone", "former": true where the alias is no longer theirs}]. The
-- customer of a phone goes on where a business-scoped id comes beside it, else that of "customer_phone". Who turn out to be
-- two customers are joined. A phone that was given up means its customer for 30 days more: no operator gives it to somebody
-- else sooner. Returns [{"gone", "kept"}] of the customers that were joined.
create or replace function link_customers(links jsonb) returns jsonb
language plpgsql set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    digits constant text := '^[0-9]+$';
    month constant timestamptz := now() + interval '30 days';
    link jsonb;
    other text;
    is_former boolean;
    gone text;
    kept text;
    joined jsonb := '[]';
begin
    for link in select value from jsonb_array_elements(links) loop
        other := link ->> 'alias';
        is_former := coalesce((link ->> 'former')::boolean, false);
        gone := customer_of(other);
        if is_former then
            -- What they had given up is theirs again; whoever would take a message from there waits for the lock of `gone`.
            delete from customer_ids where alias = link ->> 'customer_phone' and customer_phone = gone and until is not null;
            if found then insert into turns (customer_phone) values (link ->> 'customer_phone') on conflict do nothing; end if;
        end if;
        kept := customer_of(link ->> 'customer_phone');
        if gone ~ digits and kept !~ digits and not (is_former and gone = other) then
            gone := kept;
            kept := customer_of(other);
        end if;
        if gone <> kept then
            perform join_customers(gone, kept);
            joined := joined || jsonb_build_object('gone', gone, 'kept', kept);
            delete from customer_ids where alias = kept;
            update customer_ids set customer_phone = kept where customer_phone = gone;
            insert into customer_ids (alias, customer_phone, until)
            values (gone, kept, case when gone ~ digits then month end)
            on conflict (alias) do update set customer_phone = excluded.customer_phone, until = excluded.until;
        end if;
        if is_former then
            update customer_ids set until = case when other ~ digits then month else 'infinity' end
            where alias = other and until is null;
            -- What is still to be answered must reach them.
            update messages set content = content - 'from'
            where customer_phone = kept and state = 'accepted' and content ->> 'from' = other;
            if found then perform free_turn(kept); end if;
        end if;
    end loop;
    return joined;
end
$$;
