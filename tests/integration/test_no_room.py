"""PostgreSQL that answers and refuses to write: what is a value's fault, what is not, and what comes of either."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from helpers.factories import expire_leases
from helpers.one_batch import TEXTS, OneBatch, accept
from helpers.service import says, webhook
from helpers.turns import decided, turn_from_dict, turn_to_dict
from kombu import Connection as Broker
from msgspec.structs import replace
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from db import queries, retry
from worker import chain as celery_chain
from worker import steps, tasks
from worker.errors import BrokerUnavailable, StepFailed
from worker.intake import intake
from worker.intake.intake import Intake
from worker.intake.sweep import MAX_ATTEMPTS, Sweep
from worker.redisdb.keys import INBOUND, OUTBOUND, REJECTED
from worker.session.turn import Turn
from worker.steps.services import Services

DISK_FULL, READ_ONLY, NO_FUNCTION, OUT_OF_RANGE = "53100", "25006", "42883", "22003"
#: Connections that an operator, a restart or the network has ended.
LOST = ("57P01", "57P02", "57P03", "57P05", "08000", "08003", "08006", "08007")
#: Full, out of memory or connections, a failing disk, a standby.
PASSING = (DISK_FULL, "53000", "53200", "53300", "58030", "58P01", *LOST, READ_ONLY)
IN_THE_WAY = ("40P01", "40001", "55P03", "57014")
SET_UP = (NO_FUNCTION, "42P01", "42501", "42703", "3F000", "XX001", "XX002")
AT_FAULT = (OUT_OF_RANGE, "22P02", "22021", "23505", "23514", "54000", "54001", "P0001")
#: Of an intake that has nothing more to take, which a test would wait for in vain.
MOST_ROUNDS = 10


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """No log: rendering the frames of an error for a terminal takes seconds."""
    with capture_logs():
        yield


def refused_with(connection: Connection, code: str) -> DBAPIError:
    """What comes of a statement that PostgreSQL refuses with this code."""
    with pytest.raises(DBAPIError) as refused:
        connection.execute(text(f"do $$ begin raise exception using errcode = '{code}'; end $$"))
    return refused.value


@pytest.mark.parametrize("code", [*PASSING, *IN_THE_WAY, *SET_UP, *AT_FAULT])
def test_whose_fault_an_error_is(connection: Connection, code: str) -> None:
    """Of the server's state, which passes; of how it was set up, which an operator mends; or of a value."""
    error = refused_with(connection, code)
    assert retry.may_pass(error) == (code in PASSING + IN_THE_WAY)
    assert retry.blames_a_value(error) == (code in AT_FAULT)


@contextmanager
def refusing(connection: Connection, table: str, code: str, first: str = "") -> Iterator[Callable[[], None]]:
    """PostgreSQL refuses every new or changed row of the table with this code, until what is yielded is called.
    first: what it does before.
    """
    connection.execute(
        text(f"""
        create function refuse() returns trigger language plpgsql as
            $$ begin {first} raise exception 'no room' using errcode = '{code}'; end $$;
        create trigger refuse before insert or update on {table} for each row execute function refuse()
    """)
    )
    try:
        yield lambda: connection.execute(text("drop function if exists refuse() cascade")) and None
    finally:
        connection.execute(text("drop function if exists refuse() cascade"))


class Recovering(OneBatch):
    """Looks at the stream while PostgreSQL refuses, and mends it after some rounds of intake."""

    def __init__(self, client: redis.Redis, mend: Callable[[], None]) -> None:
        super().__init__()
        self.kept: list[tuple[int, int]] = []
        self._client = client
        self._mend = mend

    def waiting(self) -> int:
        """Nothing waits. Intake asks once in every round."""
        self.kept.append((self._client.xlen(INBOUND.pattern), self._client.xlen(REJECTED.pattern)))
        if len(self.kept) == 3:
            self._mend()
        if len(self.kept) > MOST_ROUNDS:
            self.stop.set()
        return 0


@pytest.mark.parametrize("code", [DISK_FULL, READ_ONLY, NO_FUNCTION])
def test_intake_keeps_everything_in_the_stream(
    shop_services: Services,
    redis_client: redis.Redis,
    connection: Connection,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is refused for it, alone or with others, nor acknowledged; the same entries are taken afterwards."""
    monkeypatch.setattr(intake, "RECOVERY_PAUSE_S", 0.0)
    bodies = [webhook(says(f"wamid.{number}", f"54911{number:06d}", said)) for number, said in enumerate(TEXTS)]
    for body in (*bodies, "no JSON"):
        redis_client.xadd(INBOUND.pattern, {"payload": body})
    with refusing(connection, "messages", code) as mend:
        chain = Recovering(redis_client, mend)
        Intake(shop_services, chain, chain.stop).run()
    assert chain.kept[:3] == [(len(bodies) + 1, 0)] * 3
    assert sorted(turn["messages"][0]["message_id"] for turn in chain.turns) == [f"wamid.{n}" for n in range(4)]
    assert (redis_client.xlen(INBOUND.pattern), redis_client.xlen(REJECTED.pattern)) == (0, 1)


def test_intake_waits_for_a_slow_postgresql(
    shop_services: Services, redis_client: redis.Redis, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that takes longer than it may is ended, and what it was to store stays in the stream."""
    monkeypatch.setattr(intake, "RECOVERY_PAUSE_S", 0.0)

    @event.listens_for(shop_services.engine, "connect")
    def shorten(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.autocommit = True
        with dbapi_connection.cursor() as cursor:
            cursor.execute("set statement_timeout = '300ms'")

    redis_client.xadd(INBOUND.pattern, {"payload": webhook(says("wamid.1", "54911000001", "hola"))})
    with refusing(connection, "messages", DISK_FULL, first="perform pg_sleep(60);") as mend:
        chain = Recovering(redis_client, mend)
        Intake(shop_services, chain, chain.stop).run()
    assert chain.kept[:3] == [(1, 0)] * 3
    assert len(chain.turns) == 1
    assert (redis_client.xlen(INBOUND.pattern), redis_client.xlen(REJECTED.pattern)) == (0, 0)


class WithoutBroker(Recovering):
    """The broker is away: for three rounds nobody can say how many batches wait, and then one cannot be sent."""

    sent = 0

    def waiting(self) -> int:
        """Raises until the third round."""
        super().waiting()
        if len(self.kept) <= 3:
            raise BrokerUnavailable("OperationalError")
        return 0

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Raises for the first batch."""
        if turns:
            self.sent += 1
            if self.sent == 1:
                raise BrokerUnavailable("OperationalError")
        super().start(turns)


def test_intake_waits_for_an_absent_broker(
    shop_services: Services, redis_client: redis.Redis, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream keeps everything; a batch that was stored and could not be sent comes back by the sweep, once."""
    monkeypatch.setattr(intake, "RECOVERY_PAUSE_S", 0.0)
    redis_client.xadd(INBOUND.pattern, {"payload": webhook(says("wamid.1", "54911000001", "hola"))})
    chain = WithoutBroker(redis_client, lambda: None)
    take = chain.start
    monkeypatch.setattr(chain, "start", lambda turns: take_and_expire(connection, take, turns))
    Intake(shop_services, chain, chain.stop).run()
    assert chain.kept[:4] == [(1, 0)] * 4
    assert [(turn["swept"], turn["messages"][0]["message_id"]) for turn in chain.turns] == [(True, "wamid.1")]
    assert connection.execute(text("select count(*) from messages")).scalar_one() == 1


def take_and_expire(
    connection: Connection, take: Callable[[Sequence[dict[str, Any]]], None], turns: Sequence[dict[str, Any]]
) -> None:
    """Takes the turns; where that fails, their leases end at once."""
    try:
        take(turns)
    except BrokerUnavailable:
        expire_leases(connection, *(turn["customer_phone"] for turn in turns))
        raise


def test_an_absent_broker_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its address; the connection is given back, and the next look makes a new one."""
    made: list[Broker] = []

    def nowhere() -> Broker:
        made.append(Broker("redis://:geheim@127.0.0.1:1/0"))
        return made[-1]

    monkeypatch.setattr(celery_chain.app, "connection_for_read", nowhere)
    chain = celery_chain.CeleryChain(tasks.fetch_session, 32)
    for looks in (1, 2):
        with pytest.raises(BrokerUnavailable) as away:
            chain.waiting()
        assert ("geheim" in str(away.value), len(made)) == (False, looks)


@pytest.fixture
def chain(shop_services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """The tasks of this process on the shop's services; they hand nothing on, and give PostgreSQL up at once."""
    monkeypatch.setattr(celery_chain, "services", lambda: shop_services)
    monkeypatch.setattr(tasks, "send_on", lambda *given: None)
    monkeypatch.setitem(retry.run.__kwdefaults__ or {}, "give_up_after_s", 0.05)
    return shop_services


def begun(services: Services, connection: Connection, turn: Turn) -> Turn:
    """The turn as the sweep brings it again, after the first step, which counts an attempt; and decided."""
    expire_leases(connection, turn.customer_phone)
    (row,) = queries.sweep_turns(connection, lease_s=15.0, limit=10)[0]
    (fetched,) = steps.fetch_session.run(services, [turn_from_dict(row)])
    assert attempts(connection) > 0
    return replace(fetched, outcome=decided())


def attempts(connection: Connection) -> int:
    """Counted so far."""
    return int(connection.execute(text("select attempts from messages")).scalar_one())


@pytest.mark.parametrize("code", [DISK_FULL, READ_ONLY, NO_FUNCTION])
def test_however_long_there_is_no_room_nothing_is_given_up(
    chain: Services, redis_client: redis.Redis, connection: Connection, code: str
) -> None:
    """More rounds of the sweep than a message has attempts; then it is answered, once."""
    (turn,) = accept(chain, redis_client, 1)
    with refusing(connection, "customer_sessions", code):
        for _ in range(2 * MAX_ATTEMPTS):
            again = begun(chain, connection, turn)
            with pytest.raises(StepFailed):
                tasks.update_session([turn_to_dict(again)])
            assert attempts(connection) == 0
    Sweep(chain, lambda turns: None).once(connection)
    assert connection.execute(text("select state from messages")).scalar_one() == "accepted"
    again = begun(chain, connection, turn)
    tasks.update_session([turn_to_dict(again)])
    tasks.update_session([turn_to_dict(again)])
    assert connection.execute(text("select state from messages")).scalar_one() == "answered"
    assert redis_client.xlen(OUTBOUND.pattern) == 1


def test_a_value_that_postgresql_refuses_is_an_attempt(
    chain: Services, redis_client: redis.Redis, connection: Connection
) -> None:
    """Or a message that can never be stored would go round for ever."""
    (turn,) = accept(chain, redis_client, 1)
    with refusing(connection, "customer_sessions", OUT_OF_RANGE):
        for run in range(2):
            tasks.update_session([turn_to_dict(begun(chain, connection, turn))])
            assert attempts(connection) == run + 1


def test_what_cannot_be_forgiven_either_fails_with_the_first_error(
    chain: Services, redis_client: redis.Redis, connection: Connection
) -> None:
    """PostgreSQL refuses the commit and the attempt's return: the step fails as it would have."""
    (turn,) = accept(chain, redis_client, 1)
    again = begun(chain, connection, turn)
    with refusing(connection, "messages", DISK_FULL), pytest.raises(StepFailed) as failed:
        tasks.update_session([turn_to_dict(again)])
    assert failed.value.kind == "OperationalError"
    assert attempts(connection) == 1
