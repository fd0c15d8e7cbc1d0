-- The message that a customer quotes, by WhatsApp's id: a message of the same customer, a person's of the shop, or a reply
-- of ours, whose id a status has told (mark_deliveries_v1.sql). Looked up whenever a turn is claimed, so that what was
-- revoked or erased is not quoted. Returns {"text", "ours", "skus" (of rows and buttons that put a product into the cart),
-- "actions" (ids of its buttons)}, {} for one that is not known.
create or replace function quoted_message(id_of_whatsapp text, phone text) returns jsonb
language plpgsql stable set enable_seqscan = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
declare
    written constant messages := (
        select m from messages m where m.message_id = id_of_whatsapp and m.customer_phone = phone);
    sent jsonb;
begin
    if written.id is not null then
        return jsonb_strip_nulls(jsonb_build_object(
            'text', left(written.content ->> 'text', 1000),
            'ours', case when written.content ->> 'type' = 'echo' then true end));
    end if;
    sent := (select m.reply from messages m
             where m.reply_id = any (array(select d.reply_id from deliveries d where d.wamid = id_of_whatsapp))
               and m.customer_phone = phone and m.reply is not null limit 1);
    if sent is null then
        return '{}';
    end if;
    return jsonb_build_object(
        'text', left(sent ->> 'text', 1000), 'ours', true,
        'skus', (select coalesce(jsonb_agg(distinct_sku order by place), '[]')
                 from (select substr(choice ->> 'id', 5) as distinct_sku, min(place) as place
                       from jsonb_array_elements(
                           coalesce(nullif(sent #> '{list,rows}', 'null'), '[]')
                           || coalesce(nullif(sent -> 'quick_replies', 'null'), '[]')) with ordinality one (choice, place)
                       where choice ->> 'id' like 'add:%' group by 1) shown),
        'actions', (select coalesce(jsonb_agg(choice -> 'id'), '[]')
                    from jsonb_array_elements(coalesce(nullif(sent -> 'quick_replies', 'null'), '[]')) choice));
end
$$;
