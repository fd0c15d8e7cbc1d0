"""Leases of turns that ask a model: renewed while their process lives, those of others left alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
from helpers.one_batch import accept
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, text
from structlog.testing import capture_logs

from db import queries
from worker import steps
from worker.providers.single_flight import JoinRequest, JoinResult, SingleFlight
from worker.runtime.embedded.processes import wait_until
from worker.session.turn import Turn
from worker.steps.call_leases import AI_LEASE_MARGIN_S, CALL_LEASE_S, CallLeases, lease_of_call_s
from worker.steps.services import Services

#: A renewal is due each quarter of a second.
LEASE_S = 1.0
PATIENCE_S = 60.0


@pytest.fixture
def missed(shop_services: Services, redis_client: redis.Redis) -> list[Turn]:
    """Two turns of two customers that need a model."""
    turns = steps.fetch_session.run(shop_services, accept(shop_services, redis_client, 2))
    return steps.route_ai.run(shop_services, turns, lambda: True)[1]


@pytest.fixture
def flights(redis_client: redis.Redis) -> SingleFlight:
    """Single flight on the empty Redis."""
    return SingleFlight(redis_client, 90.0)


@pytest.fixture
def leases(shop_services: Services, flights: SingleFlight) -> Iterator[CallLeases]:
    """Short ones; at the end nothing renews them any more."""
    yield CallLeases(shop_services.engine, flights, LEASE_S)
    assert wait_until(lambda: "call-leases" not in {thread.name for thread in threading.enumerate()}, PATIENCE_S)


def shorten(connection: Connection, turns: list[Turn]) -> None:
    """Lets leases end after one of these."""
    queries.extend_leases(connection, [turn.holder for turn in turns], LEASE_S)
    connection.commit()


def left_s(connection: Connection, turn: Turn) -> float:
    """Rest of a lease; less than nothing when it has ended."""
    left = queries.lease_left(connection, [turn.holder]).get(turn.token, -1.0)
    connection.rollback()
    return left


def lead(flights: SingleFlight, turn: Turn, token: str) -> JoinResult:
    """What a turn is that wants the same answer."""
    return flights.join([JoinRequest(turn.planned().key, token, b"{}", LEASE_S)])[0]


def test_a_lease_and_a_lead_last_as_long_as_the_block(
    leases: CallLeases, flights: SingleFlight, missed: list[Turn], connection: Connection
) -> None:
    """Three times as long as they would by themselves; then both end."""
    shorten(connection, missed)
    turn = missed[0]
    assert lead(flights, turn, turn.token).role == "lead"
    with leases.keeping(missed):
        assert not wait_until(lambda: left_s(connection, turn) <= 0, 3 * LEASE_S)
        assert lead(flights, turn, "another").role == "parked"
    assert wait_until(lambda: left_s(connection, turn) <= 0, PATIENCE_S)
    assert lead(flights, turn, "another").role == "lead"


def test_one_that_is_let_go_ends_by_itself(leases: CallLeases, missed: list[Turn], connection: Connection) -> None:
    """The others are renewed."""
    shorten(connection, missed)
    gone, stays = missed
    with leases.keeping(missed) as let_go:
        let_go([gone])
        assert wait_until(lambda: left_s(connection, gone) <= 0, PATIENCE_S)
        assert left_s(connection, stays) > 0


def test_what_others_hold_is_left_alone(
    leases: CallLeases, flights: SingleFlight, missed: list[Turn], connection: Connection
) -> None:
    """A turn that was started again, and a lead that another has taken."""
    taken = missed[0]
    shorten(connection, missed)
    assert wait_until(lambda: left_s(connection, taken) <= 0, PATIENCE_S)
    swept, _ = queries.sweep_turns(connection, lease_s=LEASE_S, limit=10)
    connection.commit()
    (token,) = (row["token"] for row in swept if row["customer_phone"] == taken.customer_phone)
    assert lead(flights, taken, "another").role == "lead"
    with leases.keeping([taken]):
        assert wait_until(lambda: left_s(connection, replace(taken, token=token)) <= 0, PATIENCE_S)
        assert wait_until(lambda: lead(flights, taken, "third").role == "lead", PATIENCE_S)


def test_a_locked_customer_costs_nobody_else_a_lease(
    leases: CallLeases, missed: list[Turn], connection: Connection, shared_engine: Engine
) -> None:
    """Somebody's open transaction holds the row of one turn."""
    locked, free = missed
    shorten(connection, missed)
    row = text("select 1 from turns where customer_phone = :phone for update")
    transaction = shared_engine.connect().execution_options(isolation_level="READ COMMITTED")
    with transaction as other, leases.keeping(missed):
        other.execute(row, {"phone": locked.customer_phone})
        assert wait_until(lambda: left_s(connection, locked) <= 0, PATIENCE_S)
        # Whoever waits for the lock is late for the other one, by less than a real lease allows.
        assert wait_until(lambda: left_s(connection, free) > 0, PATIENCE_S)
        other.rollback()


def test_where_postgresql_fails_a_lease_ends(
    flights: SingleFlight, missed: list[Turn], shop_services: Services
) -> None:
    """It is told, and no thread dies of it."""
    engine = shop_services.engine
    with engine.connect() as connection, capture_logs() as logs:
        connection.execute(text("alter function extend_leases rename to gone"))
        connection.commit()
        try:
            CallLeases(engine, flights, LEASE_S).renew(missed)
        finally:
            connection.execute(text("alter function gone rename to extend_leases"))
            connection.commit()
    assert [entry["event"] for entry in logs] == ["leases_not_renewed"]


def test_a_lease_is_no_longer_than_its_call_may_take() -> None:
    """And leaves time for a pass of the sweep and for another call, of the 30 s that a machine's death may cost."""
    assert lease_of_call_s(1.0) == 1.0 + AI_LEASE_MARGIN_S
    assert lease_of_call_s(300.0) == CALL_LEASE_S <= 20.0
