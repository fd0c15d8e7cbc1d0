"""Replies after their commit: published, recorded with their cost, delivered."""

from sqlalchemy import Connection

from db.queries.statement import Json, as_json, rows, run


def unpublished_replies(
    connection: Connection, *, older_than_s: float, recent_s: float = 0.0, max_rows: int = 500
) -> list[Json]:
    """Returns committed replies to publish (again), oldest first: columns as in `unpublished_replies_v1.sql`."""
    sql = """
        select reply_id::text, customer_phone, reply, outcome, message_count
        from unpublished_replies(%(older_than_s)s, %(recent_s)s, %(max_rows)s)
    """
    return rows(run(connection, sql, older_than_s=older_than_s, recent_s=recent_s, max_rows=max_rows))


def record_metrics(connection: Connection, metrics: list[Json]) -> dict[str, int | None]:
    """Records costs and marks replies published; returns milliseconds from acceptance by reply id that is new."""
    sql = "select reply_id::text, reply_latency_ms from record_metrics(%(metrics)s::jsonb)"
    return dict(map(tuple, run(connection, sql, metrics=as_json(metrics))))


def mark_deliveries(connection: Connection, statuses: list[Json]) -> int:
    """Marks replies as WhatsApp reports them, as `mark_deliveries_v1.sql` says; returns how many replies of ours."""
    sql = "select mark_deliveries(%(statuses)s::jsonb)"
    return int(run(connection, sql, statuses=as_json(statuses)).scalar_one())


def add_event(connection: Connection, kind: str, data: Json) -> None:
    """Records that something happened."""
    run(connection, "insert into events (kind, data) values (%(kind)s, %(data)s::jsonb)", kind=kind, data=as_json(data))


def spent_microusd(connection: Connection) -> tuple[int, int]:
    """Returns the cost of calls this month and this day (UTC)."""
    sql = """
        with bounds as (
            select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as month,
                   date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' as day
        )
        select coalesce(sum(cost_microusd), 0)::bigint, coalesce(sum(cost_microusd) filter (where at >= day), 0)::bigint
        from bounds left join ai_metrics on at >= month
    """
    month, day = map(int, run(connection, sql).one())
    return month, day
