"""A shop's history made up in the database: messages, costs, sessions and events, in one statement each."""

from __future__ import annotations

from sqlalchemy import Connection, text

#: One phone and one sentence that stand on every message made here, to look for on the page.
PHONE_PREFIX, SENTENCE = "549116655", "quiero dos leches y un secreto"
REASON = "given up after 5 attempts"

# The time of message n of :count: spread over :span_s, unevenly.
AT = "now() - make_interval(secs => :span_s * (1 - (n - 0.03 * :count * sin(6 * pi() * n / :count)) / :count))"
MESSAGES = text(f"""
    insert into messages (message_id, customer_phone, content, accepted_at, state, reply_id, reply, answered_at,
                          published_at)
    select 'wamid.' || n, '{PHONE_PREFIX}' || lpad((n % :customers)::text, 4, '0'),
           jsonb_build_object('type', 'text', 'text', '{SENTENCE}', 'selection_id', null), at, 'answered', reply_id,
           jsonb_build_object('reply_id', reply_id, 'text', '{SENTENCE}', 'session_state', 'browsing'),
           least(at + interval '1 second', now()), least(at + interval '1 second', now())
    from (select n, {AT} as at, gen_random_uuid() as reply_id from generate_series(1, :count) n) made
""")
METRICS = text("""
    insert into ai_metrics (reply_id, at, source, provider, model, complexity, intent, messages, calls, cost_microusd,
                            baseline_microusd, provider_latency_ms, reply_latency_ms, session_cache)
    select reply_id, published_at, source, provider, provider, 'medium', intent, 1, (source = 'ai')::integer,
           case when source = 'ai' then 20 + (60 * random())::bigint else 0 end, 180 + (120 * random())::bigint,
           case when source = 'ai' then latency_ms end,
           case when source = 'ai' then latency_ms + 120 else 30 + (90 * random())::bigint end,
           case when random() < 0.87 then 'hit' else 'miss' end
    from (select m.*, case when dice < 0.76 then 'cache' when dice < 0.99 then 'ai' when dice < 0.995 then 'fallback'
                           else 'canned' end as source,
                 case when dice < 0.76 or dice >= 0.99 then null when luck < 0.6 then 'gemini-flash'
                      when luck < 0.86 then 'deepseek' else 'gpt' end as provider,
                 (array['greeting', 'search_product', 'search_product', 'search_product', 'add_to_cart', 'add_to_cart',
                        'view_cart', 'checkout', 'browse_category', 'support', 'unknown'])[1 + floor(11 * luck)::int]
                     as intent,
                 (250 + 900 * luck * luck + 2500 * power(dice, 40))::bigint as latency_ms
          from (select id, reply_id, published_at, random() as dice, random() as luck from messages
                where reply_id is not null) m) made
""")
SESSIONS = text(f"""
    insert into customer_sessions (customer_phone, session_state, messages, created_at, updated_at, expires_at)
    select '{PHONE_PREFIX}' || lpad(n::text, 4, '0'),
           (array['browsing', 'browsing', 'searching', 'searching', 'viewing_product', 'adding_to_cart', 'viewing_cart',
                  'checkout', 'confirming_order', 'order_completed'])[1 + n % 10],
           1 + n % 9, now() - make_interval(secs => 60 + n % 3000), now() - make_interval(secs => n % 50),
           now() + interval '1 hour'
    from generate_series(1, :count) n
""")
ENDED = text("""
    insert into events (kind, at, data)
    select 'session_end', now() - make_interval(secs => :span_s * random()), jsonb_build_object(
        'session_id', gen_random_uuid(), 'messages', 1 + n % 12, 'reason', 'expired', 'duration_s', 60 + n % 2400,
        'state', (array['browsing', 'searching', 'viewing_cart', 'order_completed', 'order_completed'])[1 + n % 5])
    from generate_series(1, :count) n
""")
CLEANUPS = text("""
    insert into events (kind, at, data)
    select 'cleanup', now() - make_interval(secs => :span_s * n::float8 / :count),
           jsonb_build_object('deleted', 1 + n % 7)
    from generate_series(1, :count) n
""")
CIRCUITS = text("""
    insert into events (kind, at, data)
    select 'circuit', now() - make_interval(secs => share * :span_s),
           jsonb_build_object('provider', provider, 'state', state)
    from (values ('deepseek', 0.8, 'open'), ('deepseek', 0.7, 'closed'), ('gemini-flash', 0.4, 'open'),
                 ('gemini-flash', 0.38, 'closed'), ('gpt', 0.2, 'open')) as happened (provider, share, state)
""")
WAITING = text(f"""
    insert into messages (message_id, customer_phone, content, accepted_at)
    select 'wamid.waiting' || n, '{PHONE_PREFIX}' || lpad(n::text, 4, '0'),
           jsonb_build_object('type', 'text', 'text', '{SENTENCE}'), now() - make_interval(secs => 10 * n)
    from generate_series(1, :count) n
""")
DEAD = text(f"""
    insert into messages (message_id, customer_phone, content, accepted_at, state, attempts, reason, last_error,
                          reply_id, answered_at)
    select 'wamid.dead' || n, '{PHONE_PREFIX}' || lpad((9000 + n)::text, 4, '0'),
           jsonb_build_object('type', 'text', 'text', '{SENTENCE}'), now() - make_interval(secs => 600 * n), 'dead', 5,
           '{REASON}', 'OperationalError', gen_random_uuid(), now() - make_interval(secs => 590 * n)
    from generate_series(1, :count) n
""")


def fill(connection: Connection, messages: int, span_s: float, *, waiting: int = 0, dead: int = 0) -> None:
    """That many answered messages over the last `span_s` seconds, with everything that comes with them."""
    customers = max(messages // 25, 1)
    connection.execute(text("select setseed(0.42)"))
    connection.execute(MESSAGES, {"count": messages, "span_s": span_s, "customers": min(customers, 9000)})
    connection.execute(METRICS)
    connection.execute(SESSIONS, {"count": min(customers, 1200)})
    connection.execute(ENDED, {"count": customers, "span_s": span_s})
    connection.execute(CLEANUPS, {"count": min(customers, 8000), "span_s": span_s})
    connection.execute(CIRCUITS, {"span_s": span_s})
    connection.execute(WAITING, {"count": waiting})
    connection.execute(DEAD, {"count": dead})
    connection.execute(text("analyze"))
