"""Customers: their ids, their wait for a person, their erasure."""

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from db.queries.statement import Json, run


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
