-- The tables of the flow written plainly, in a schema of their own: what the seed keeps, with the indexes it needs.
create schema if not exists plain;
create table if not exists plain.customer_sessions (
    id bigint generated always as identity primary key,
    customer_phone text not null unique,
    session_state text not null default 'browsing',
    cart_data jsonb not null default '[]',
    context_data jsonb not null default '{}',
    updated_at timestamptz not null default now(),
    expires_at timestamptz not null default now() + interval '2 hours'
);
create index if not exists customer_sessions_expires_at_idx on plain.customer_sessions (expires_at);
create table if not exists plain.ai_metrics (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    customer_phone text not null,
    source text not null,
    intent text,
    latency_ms integer
);
create index if not exists ai_metrics_at_idx on plain.ai_metrics (at);
