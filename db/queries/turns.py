"""Turns, from acceptance to commit: one statement each, with a function of PostgreSQL behind it."""

from collections.abc import Iterable, Sequence

import orjson
from sqlalchemy import Connection

from db.queries.statement import Json, as_json, call, run

#: Customer and token of a turn under way.
Holder = tuple[str, str]
#: A turn of which somebody else holds rows is looked at again after this time. Not at once: what cannot be seen to be
#: locked (a row that is inserted and not committed) would ask a model in vain each time.
LOCKED_LEASE_S = 5.0


def accept_messages(connection: Connection, batch: Json) -> Json:
    """Commits a batch of inbound messages and claims turns; in and out as `accept_messages_v3.sql` says."""
    return dict(call(connection, "accept_messages", batch))


def update_session_cache(connection: Connection, session_data: Json) -> Json:
    """Commits the end of turns; in and out as `update_session_cache_v3.sql` says."""
    return dict(call(connection, "update_session_cache", session_data))


def extend_leases(connection: Connection, holders: Sequence[Holder], lease_s: float) -> set[str]:
    """Lets the leases end `lease_s` seconds from now; returns the tokens that were still held."""
    sql = "select t::text from extend_leases(%(phones)s::text[], %(tokens)s::uuid[], %(lease_s)s) t"
    return set(run(connection, sql, **_split(holders), lease_s=lease_s).scalars())


def lease_left(connection: Connection, holders: Sequence[Holder]) -> dict[str, float]:
    """Returns the seconds left of each lease by token; a token that is no longer held is absent."""
    sql = "select token::text, left_s from lease_left(%(phones)s::text[], %(tokens)s::uuid[])"
    return dict(map(tuple, run(connection, sql, **_split(holders))))


def _split(holders: Sequence[Holder]) -> Json:
    return {"phones": [phone for phone, _ in holders], "tokens": [token for _, token in holders]}


def sweep_turns(
    connection: Connection, *, lease_s: float, limit: int, locked_lease_s: float = LOCKED_LEASE_S
) -> tuple[list[Json], set[str]]:
    """Claims again up to `limit` turns whose lease has ended.

    Args:
        locked_lease_s: when to look again at a turn that stays because somebody else holds rows of its customer.

    Returns:
        The turns, one message each, and the customers whose turns stay.
    """
    options = as_json({"lease_s": lease_s, "limit": limit, "locked_lease_s": locked_lease_s})
    sql = "select coalesce(jsonb_agg(t), '[]')::text from sweep_turns(%(options)s::jsonb) t"
    found = orjson.loads(run(connection, sql, options=options).scalar_one())
    locked = {row["customer_phone"] for row in found if row.get("locked")}
    return [row for row in found if "token" in row], locked


def locked_for_acceptance(connection: Connection, phones: Iterable[str]) -> set[str]:
    """Returns the customers of whom somebody else holds a row that accepting their messages must change."""
    return set(run(connection, "select locked_for_acceptance(%(phones)s::text[])", phones=list(phones)).scalars())


def locked_for_commit(connection: Connection, phones: Iterable[str]) -> set[str]:
    """Returns the customers of whom somebody else holds a row that the commit of their turns must change."""
    return set(run(connection, "select locked_for_commit(%(phones)s::text[])", phones=list(phones)).scalars())


def set_aside(connection: Connection, runs: Json) -> None:
    """Leaves turns that could not go on to the sweep, as `set_aside_v1.sql` says."""
    run(connection, "select set_aside(%(runs)s::jsonb)", runs=as_json(runs))


def wait_for_quiet(connection: Connection, runs: Json) -> set[str]:
    """Lets turns wait until their customers are quiet, as `wait_for_quiet_v1.sql` says; returns the tokens that do."""
    sql = "select t::text from wait_for_quiet(%(runs)s::jsonb) t"
    return set(run(connection, sql, runs=as_json(runs)).scalars())


def claim_quiet(connection: Connection, options: Json) -> Json:
    """Claims turns whose customers have become quiet; in and out as `claim_quiet_v1.sql` says."""
    return dict(call(connection, "claim_quiet", options))


def begin_attempts(connection: Connection, runs: Json) -> dict[str, int]:
    """Counts an attempt of each swept turn; returns attempts so far by token that is still held."""
    sql = "select token::text, attempts from begin_attempts(%(runs)s::jsonb)"
    return dict(map(tuple, run(connection, sql, runs=as_json(runs))))


def suspend_attempts(connection: Connection, runs: Json) -> None:
    """Takes back the attempt of each swept turn that goes on to wait in a queue."""
    run(connection, "select suspend_attempts(%(runs)s::jsonb)", runs=as_json(runs))


def release_turns(connection: Connection, failures: list[Json]) -> None:
    """Gives failed turns back to the sweep at once, with the kind of error."""
    run(connection, "select release_turns(%(failures)s::jsonb)", failures=as_json(failures))
