"""One named function per statement. In and out go plain values; JSON is encoded and decoded here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, TextClause, text

Json = dict[str, Any]
#: A customer and the token of a turn of theirs.
Holder = tuple[str, str]
#: Rows of one call of the retention: while they are erased, new messages of their customers wait.
RETENTION_ROWS = 500
#: A turn of which somebody else holds rows is looked at again after this time. Not at once: what cannot be seen to be
#: locked (a row that is inserted and not committed) would ask a model in vain each time.
LOCKED_LEASE_S = 5.0


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _call(connection: Connection, statement: TextClause, value: object) -> Any:
    """The one JSON value that a function of one JSON argument returns."""
    found = connection.execute(statement, {"value": _json(value)}).scalar_one()
    return orjson.loads(found) if found is not None else None


ACCEPT_MESSAGES = text("select accept_messages(cast(:value as jsonb))::text")
LOAD_SESSIONS = text(
    "select s.* from unnest(cast(:phones as text[])) phone cross join lateral get_session_optimized(phone) s"
)
UPDATE_SESSION_CACHE = text("select update_session_cache(cast(:value as jsonb))::text")
EXTEND_LEASES = text(
    "select cast(t as text) from extend_leases(cast(:phones as text[]), cast(:tokens as uuid[]), :lease_s) t"
)
LEASE_LEFT = text(
    "select cast(token as text), left_s from lease_left(cast(:phones as text[]), cast(:tokens as uuid[]))"
)
SWEEP_TURNS = text("select coalesce(jsonb_agg(t), '[]')::text from sweep_turns(cast(:value as jsonb)) t")
SUSPEND_ATTEMPTS = text("select suspend_attempts(cast(:value as jsonb))")
BEGIN_ATTEMPTS = text("select cast(token as text), attempts from begin_attempts(cast(:value as jsonb))")
LOCKED_FOR_ACCEPTANCE = text("select locked_for_acceptance(cast(:phones as text[]))")
LOCKED_FOR_COMMIT = text("select locked_for_commit(cast(:phones as text[]))")
SET_ASIDE = text("select set_aside(cast(:value as jsonb))")
RELEASE_TURNS = text("select release_turns(cast(:value as jsonb))")
UNPUBLISHED_REPLIES = text(
    "select cast(reply_id as text), customer_phone, reply::text, outcome::text, message_count"
    " from unpublished_replies(:older_than_s, :recent_s, :max_rows)"
)
RECORD_METRICS = text("select cast(reply_id as text), reply_latency_ms from record_metrics(cast(:value as jsonb))")
CLEANUP_EXPIRED_SESSIONS = text("select cleanup_expired_sessions()")
SEARCH_PRODUCTS = text(
    "select term, p.* from unnest(cast(:terms as text[])) term cross join lateral search_products(term, :max_results) p"
)
CATEGORIES = text("select name from categories order by position, name")
PRODUCT_NAMES = text("select distinct name from products where active")
PUT_CATEGORIES = text(
    "insert into categories (name) select distinct unnest(cast(:names as text[])) order by 1 on conflict do nothing"
)
PUT_PRODUCTS = text("""
    insert into products as p (sku, name, brand, category_id, format, price, currency, stock)
    select r.sku, r.name, r.brand, c.id, r.format, r.price, r.currency, r.stock
    from jsonb_to_recordset(cast(:rows as jsonb)) as r (
        sku text, name text, brand text, category text, format text, price numeric, currency text, stock integer)
    join categories c on c.name = r.category
    on conflict (sku) do update set
        name = excluded.name, brand = excluded.brand, category_id = excluded.category_id, format = excluded.format,
        price = excluded.price, currency = excluded.currency, stock = excluded.stock, active = true, updated_at = now()
""")
SPENT = text("""
    with bounds as (
        select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as month,
               date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' as day
    )
    select coalesce(sum(cost_microusd), 0)::bigint, coalesce(sum(cost_microusd) filter (where at >= day), 0)::bigint
    from bounds left join ai_metrics on at >= month
""")
APPLY_RETENTION = text("select apply_retention(:keep_days, :max_rows)")
DEAD_LETTERS = text("""
    select id, message_id, customer_phone, sent_at, answered_at as died_at, attempts, reason, last_error
    from messages where state = 'dead' order by id
""")
FIND_MESSAGE = text("""
    select m.id, m.state, m.message_id, m.customer_phone, c.name, m.sent_at, m.accepted_at, m.answered_at as died_at,
           m.attempts, m.reason, m.last_error, m.content
    from messages m left join customers c using (customer_phone)
    where m.message_id = :message_id or m.id = :id order by m.message_id = :message_id desc limit 1
""")
REPLAY_DEAD_LETTERS = text("select replay_dead_letters(cast(:letters as bigint[]))")
DISCARD_DEAD_LETTER = text("""
    update messages set state = 'closed', reason = concat_ws('; ', reason, 'discarded')
    where id = :id and state = 'dead'
""")
ERASE_CUSTOMER = text("select erase_customer(:phone)::text")
RESUME_CUSTOMER = text("select resume_customer(:phone)")
ADD_EVENT = text("insert into events (kind, data) values (:kind, cast(:data as jsonb))")
TRY_LOCK = text("select pg_try_advisory_lock(:key)")

#: A bigint key shows in pg_locks as two halves; our keys fit into the lower one.
IS_LOCKED = text("select exists (select from pg_locks where locktype = 'advisory' and classid = 0 and objid = :key)")


def accept_messages(connection: Connection, batch: Json) -> Json:
    """Commits a batch of inbound messages and claims turns; in and out as `accept_messages_v1.sql` says."""
    return dict(_call(connection, ACCEPT_MESSAGES, batch))


def load_sessions(connection: Connection, phones: Iterable[str]) -> list[Json]:
    """The live sessions of these customers, as rows of `get_session_optimized`."""
    rows = connection.execute(LOAD_SESSIONS, {"phones": list(phones)}).mappings()
    return [dict(row) for row in rows]


def update_session_cache(connection: Connection, session_data: Json) -> Json:
    """The commit that ends turns; in and out as `update_session_cache_v1.sql` says."""
    return dict(_call(connection, UPDATE_SESSION_CACHE, session_data))


def extend_leases(connection: Connection, holders: Sequence[Holder], lease_s: float) -> set[str]:
    """Gives the turns `lease_s` seconds from now; the tokens that were still held."""
    rows = connection.execute(EXTEND_LEASES, {**_split(holders), "lease_s": lease_s})
    return set(rows.scalars())


def lease_left(connection: Connection, holders: Sequence[Holder]) -> dict[str, float]:
    """Seconds left of each lease by token; a token that is no longer held is absent."""
    return {row[0]: row[1] for row in connection.execute(LEASE_LEFT, _split(holders))}


def _split(holders: Sequence[Holder]) -> Json:
    return {"phones": [phone for phone, _ in holders], "tokens": [token for _, token in holders]}


def sweep_turns(connection: Connection, *, lease_s: float, limit: int) -> list[Json]:
    """Claims again up to `limit` turns whose lease has ended, one message each."""
    turns, _ = sweep_around_locked(connection, lease_s=lease_s, limit=limit, locked_lease_s=LOCKED_LEASE_S)
    return turns


def sweep_around_locked(
    connection: Connection, *, lease_s: float, limit: int, locked_lease_s: float
) -> tuple[list[Json], set[str]]:
    """The same, and the customers whose turns stay because somebody else holds rows of theirs. Such a turn is looked at
    again after `locked_lease_s`.
    """
    found = _call(connection, SWEEP_TURNS, {"lease_s": lease_s, "limit": limit, "locked_lease_s": locked_lease_s})
    locked = {row["customer_phone"] for row in found if row.get("locked")}
    return [row for row in found if "token" in row], locked


def locked_for_acceptance(connection: Connection, phones: Iterable[str]) -> set[str]:
    """The customers of whom somebody else holds a row that accepting their messages must change."""
    return set(connection.execute(LOCKED_FOR_ACCEPTANCE, {"phones": list(phones)}).scalars())


def locked_for_commit(connection: Connection, phones: Iterable[str]) -> set[str]:
    """The customers of whom somebody else holds a row that the commit of their turns must change."""
    return set(connection.execute(LOCKED_FOR_COMMIT, {"phones": list(phones)}).scalars())


def set_aside(connection: Connection, runs: Json) -> None:
    """Leaves turns that could not go on to the sweep, as `set_aside_v1.sql` says."""
    connection.execute(SET_ASIDE, {"value": _json(runs)})


def begin_attempts(connection: Connection, runs: Json) -> dict[str, int]:
    """Counts an attempt of each swept turn; attempts so far by token that is still held."""
    return {row[0]: row[1] for row in connection.execute(BEGIN_ATTEMPTS, {"value": _json(runs)})}


def suspend_attempts(connection: Connection, runs: Json) -> None:
    """Takes back the attempt of each swept turn that goes on to wait in a queue."""
    connection.execute(SUSPEND_ATTEMPTS, {"value": _json(runs)})


def release_turns(connection: Connection, failures: list[Json]) -> None:
    """Gives failed turns back to the sweep at once, with the kind of error."""
    connection.execute(RELEASE_TURNS, {"value": _json(failures)})


def unpublished_replies(
    connection: Connection, *, older_than_s: float, recent_s: float = 0.0, max_rows: int = 500
) -> list[Json]:
    """Committed replies to publish (again), oldest first: reply_id, customer_phone, reply, outcome, message_count."""
    given = {"older_than_s": older_than_s, "recent_s": recent_s, "max_rows": max_rows}
    names = ("reply_id", "customer_phone", "reply", "outcome", "message_count")
    rows = [dict(zip(names, row, strict=True)) for row in connection.execute(UNPUBLISHED_REPLIES, given)]
    return [row | {key: orjson.loads(row[key]) for key in ("reply", "outcome") if row[key]} for row in rows]


def record_metrics(connection: Connection, metrics: list[Json]) -> dict[str, int | None]:
    """Records costs and marks replies published; milliseconds from acceptance by reply id that is new."""
    return {row[0]: row[1] for row in connection.execute(RECORD_METRICS, {"value": _json(metrics)})}


def cleanup_expired_sessions(connection: Connection) -> int:
    """Deletes at most 10,000 expired sessions; how many."""
    return int(connection.execute(CLEANUP_EXPIRED_SESSIONS).scalar_one())


def apply_retention(connection: Connection, keep_days: int, max_rows: int = RETENTION_ROWS) -> int:
    """Erases at most `max_rows` rows that are older than `keep_days`; how many."""
    return int(connection.execute(APPLY_RETENTION, {"keep_days": keep_days, "max_rows": max_rows}).scalar_one())


def dead_letters(connection: Connection) -> list[Json]:
    """All dead letters in the order of acceptance, without what was written."""
    return [dict(row) for row in connection.execute(DEAD_LETTERS).mappings()]


def find_message(connection: Connection, reference: str) -> Json | None:
    """The message with this id of WhatsApp's or, where there is none, this number; with its content."""
    number = int(reference) if reference.isascii() and reference.isdigit() and len(reference) < 19 else None
    found = connection.execute(FIND_MESSAGE, {"message_id": reference, "id": number}).mappings().one_or_none()
    return dict(found) if found else None


def replay_dead_letters(connection: Connection, letters: Sequence[int]) -> int:
    """Makes these messages unanswered again, those of them that are dead letters; how many that were."""
    return int(connection.execute(REPLAY_DEAD_LETTERS, {"letters": list(letters)}).scalar_one())


def discard_dead_letter(connection: Connection, letter: int) -> bool:
    """Closes a dead letter for good; whether it was one."""
    return connection.execute(DISCARD_DEAD_LETTER, {"id": letter}).rowcount == 1


def erase_customer(connection: Connection, phone: str) -> Json:
    """Removes a customer's personal data from every table; out as `erase_customer_v1.sql` says."""
    return dict(orjson.loads(connection.execute(ERASE_CUSTOMER, {"phone": phone}).scalar_one()))


def search_products(connection: Connection, terms: Iterable[str], max_results: int) -> list[Json]:
    """Rows of `search_products` with the `term` they were found for, best first within a term."""
    rows = connection.execute(SEARCH_PRODUCTS, {"terms": list(terms), "max_results": max_results}).mappings()
    return [dict(row) for row in rows]


def categories(connection: Connection) -> list[str]:
    """Names of the categories in the shop's order."""
    return list(connection.execute(CATEGORIES).scalars())


def product_names(connection: Connection) -> list[str]:
    """Names of all active products."""
    return list(connection.execute(PRODUCT_NAMES).scalars())


def put_products(connection: Connection, rows: list[Json]) -> None:
    """Inserts or updates products by sku, with the categories they name, in the connection's transaction."""
    connection.execute(PUT_CATEGORIES, {"names": [row["category"] for row in rows]})
    connection.execute(PUT_PRODUCTS, {"rows": _json(rows)})


def spent_microusd(connection: Connection) -> tuple[int, int]:
    """What calls have cost this month and this day (UTC), in micro-dollars."""
    month, day = connection.execute(SPENT).one()
    return int(month), int(day)


def resume_customer(connection: Connection, phone: str) -> str:
    """Ends the wait for a person: `resumed`, `not_waiting`, or `busy` while a turn of the customer is under way."""
    return str(connection.execute(RESUME_CUSTOMER, {"phone": phone}).scalar_one())


def add_event(connection: Connection, kind: str, data: Json) -> None:
    """Notes that something happened."""
    connection.execute(ADD_EVENT, {"kind": kind, "data": _json(data)})


def try_lock(connection: Connection, key: int) -> bool:
    """Takes a session-level advisory lock if it is free; it is held until the connection ends."""
    return bool(connection.execute(TRY_LOCK, {"key": key}).scalar_one())


def is_locked(connection: Connection, key: int) -> bool:
    """Whether anybody holds this advisory lock."""
    return bool(connection.execute(IS_LOCKED, {"key": key}).scalar_one())
