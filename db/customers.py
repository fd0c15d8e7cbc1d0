"""Customers: their ids, their wait for a person of the shop, their erasure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from db.statement import Json, run

#: All waits that are kept, open and over, one of each customer: `context_data` as worker.session has it. A conversation
#: that ends takes its wait along. Where the version before has begun a wait, since when is not known exactly.
WAITS = """
    select customer_phone, coalesce((context_data ->> 'human_since')::timestamptz, updated_at) as since,
           least((context_data ->> 'human_until')::timestamptz, expires_at) as until,
           coalesce(context_data ->> 'human_reason', '') as reason
    from customer_sessions where context_data ? 'human_until'
"""
#: Of those that are over, the ones that are shown; `cleanup_expired_sessions` keeps them for as long. Whoever
#: waited while a person wrote has been attended to.
RECENT = "until > now() - interval '1 day' and (until > now() or reason <> 'person_wrote')"
PEOPLE = text(f"""
    select customer_phone, name, since, until, reason, until <= now() as ended,
           greatest(extract(epoch from least(until, now()) - since), 0)::float8 as waited_s
    from ({WAITS}) waits left join customers using (customer_phone)
    where {RECENT} order by ended, since limit :max_rows
""")  # noqa: S608  constants of ours


@dataclass(frozen=True, slots=True)
class Waiting:
    """Wait of a customer for a person.

    Args:
        name: as WhatsApp has it, None where it is not known.
        until: when the AI answers again.
        reason: asked, model, limit, failed or one of the shop's own; empty where it was not noted.
        ended: it is over, and nobody has resumed it.
        waited_s: how long it has lasted, or did.
    """

    customer_phone: str
    name: str | None
    since: datetime
    until: datetime
    reason: str
    ended: bool
    waited_s: float


def waiting(connection: Connection, max_rows: int | None = None) -> tuple[Waiting, ...]:
    """Returns who waits, the longest wait first, and then those whose wait has ended within a day.

    Args:
        max_rows: None for all.
    """
    return tuple(Waiting(*row) for row in connection.execute(PEOPLE, {"max_rows": max_rows}))


def linked_ids(connection: Connection, phone: str) -> list[str]:
    """Returns all ids of the customer whom this one means: first the one under which everything of theirs stands."""
    return list(run(connection, "select linked_ids(%(phone)s)", phone=phone).scalar_one())


def known_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Returns those of the ids that are some customer's."""
    sql = """
        select id from unnest(%(ids)s::text[]) id
        where exists (select from customers where customer_phone = customer_of(id)) or customer_of(id) <> id
    """
    return set(run(connection, sql, ids=list(ids)).scalars())


def forget_ids(connection: Connection, phones: Sequence[str]) -> None:
    """Forgets that these ids are of one customer."""
    sql = "delete from customer_ids where alias = any (%(phones)s::text[]) or customer_phone = any (%(phones)s::text[])"
    run(connection, sql, phones=list(phones))


def resume_customer(connection: Connection, phone: str) -> str:
    """Ends the wait for a person; returns `resumed`, `not_waiting`, or `busy` while the customer has a turn."""
    return str(run(connection, "select resume_customer(%(phone)s)", phone=phone).scalar_one())


def close_questions(connection: Connection, phones: Sequence[str]) -> None:
    """Closes what was asked of these customers last, before words that belong to no turn (`close_questions_v1.sql`)."""
    run(connection, "select close_questions(%(phones)s::text[], null)", phones=list(phones))


def erase_customer(connection: Connection, phone: str) -> Json:
    """Removes a customer's personal data from every table; out as `erase_customer_v2.sql` says."""
    return dict(orjson.loads(run(connection, "select erase_customer(%(phone)s)::text", phone=phone).scalar_one()))
