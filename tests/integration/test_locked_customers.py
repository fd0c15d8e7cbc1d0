"""One customer's rows are held by somebody else's open transaction: all others are answered at once, and that one when
the lock goes. The real intake, chain and sweep; the steps are called directly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import orjson
import pytest
import redis
from helpers.factories import expire_leases, expire_sessions, rows
from helpers.service import says, webhook
from helpers.turns import decided, turn_from_dict, turn_to_dict
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, text

from db import queries
from worker import steps, tasks
from worker.errors import StepFailed
from worker.intake import intake
from worker.intake.intake import Intake
from worker.intake.sweep import MAX_ATTEMPTS, Sweep
from worker.redisdb.keys import INBOUND, LOCKED_CUSTOMERS, OUTBOUND, REJECTED
from worker.session.turn import Turn
from worker.steps import attempts, route_ai
from worker.steps.services import Services

LOCKED = "5491100000001"
OTHERS = [f"549110000000{number}" for number in range(2, 7)]
#: Statements of somebody at psql, each of which holds one row of the customer.
AT_THE_DOOR = {
    "customers": "update customers set name = 'X' where customer_phone = :phone",
    "turns": "select from turns where customer_phone = :phone for update",
}
AT_THE_COMMIT = {
    "turns": "select from turns where customer_phone = :phone for update",
    "customer_sessions": "update customer_sessions set session_state = 'browsing' where customer_phone = :phone",
    "messages": "update messages set reason = 'X' where customer_phone = :phone and state = 'accepted'",
}


class Waiting:
    """The chain as intake sees it: keeps what was started, and stops intake when there are enough."""

    def __init__(self, enough: int, rounds: int = 40) -> None:
        self.stop = Event()
        self.turns: list[dict[str, Any]] = []
        self._enough = enough
        self._rounds = rounds

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Keeps them."""
        self.turns += turns
        if len(self.turns) >= self._enough:
            self.stop.set()

    def waiting(self) -> int:
        """Nothing waits; intake asks in every round."""
        self._rounds -= 1
        if self._rounds < 0:
            self.stop.set()
        return 0


@contextmanager
def held(engine: Engine, statement: str, phone: str = LOCKED) -> Iterator[None]:
    """Somebody has typed `begin` and the statement, and gone for lunch."""
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin() as transaction:
        assert other.execute(text(statement), {"phone": phone}).rowcount == 1
        yield
        transaction.rollback()


@dataclass
class Road:
    """The road of messages on real servers."""

    services: Services
    client: redis.Redis
    connection: Connection
    number: int = 0
    sent: dict[str, list[str]] = field(default_factory=dict)

    def write(self, *phones: str, said: str = "hola") -> None:
        """A message of each, one entry each."""
        for phone in phones:
            self.client.xadd(INBOUND.pattern, {"payload": webhook(self.message(phone, said))})

    def message(self, phone: str, said: str = "hola") -> dict[str, Any]:
        """One more message of a customer."""
        self.number += 1
        self.sent.setdefault(phone, []).append(f"wamid.{self.number}")
        return says(f"wamid.{self.number}", phone, said)

    def react(self, phone: str) -> None:
        """A thumb up, which gets no reply."""
        self.number += 1
        thumb = {"message_id": "wamid.1", "emoji": "👍"}
        reaction = says(f"wamid.{self.number}", phone, "") | {"type": "reaction", "reaction": thumb}
        self.client.xadd(INBOUND.pattern, {"payload": webhook(reaction)})

    def take(self, enough: int, rounds: int = 40) -> list[Turn]:
        """What intake starts, until there are so many turns or it has gone so many rounds."""
        chain = Waiting(enough, rounds)
        Intake(self.services, chain, chain.stop).run()
        return [turn_from_dict(turn) for turn in chain.turns]

    def decide(self, turns: Sequence[Turn]) -> list[Turn]:
        """Turns with sessions and an answer."""
        fetched = steps.fetch_session.run(self.services, turns)
        return [replace(turn, outcome=decided(reply=f"a {turn.customer_phone}")) for turn in fetched]

    def answer(self, turns: Sequence[Turn]) -> list[Turn]:
        """Answers turns and those that follow; those whose commit was done."""
        closed = steps.update_session.run(self.services, self.decide(turns))
        steps.record_metrics.run(self.services, closed.turns)
        done = [turn for turn in closed.turns if turn.committed]
        return done + (self.answer([turn_from_dict(t) for t in closed.next_turns]) if closed.next_turns else [])

    def sweep(self) -> tuple[list[Turn], set[str]]:
        """What the sweep starts when all leases have ended, and who it says is locked."""
        started: list[dict[str, Any]] = []
        locked = Sweep(self.services, started.extend).once(self.connection)
        return [turn_from_dict(turn) for turn in started], locked

    def answered(self) -> list[str]:
        """Ids of messages in the order in which they were answered."""
        replies: Any = self.client.xrange(OUTBOUND.pattern)
        return [i for _, entry in replies for i in orjson.loads(entry[b"payload"])["in_reply_to"]]

    def in_order(self) -> bool:
        """Whether every message was answered once, each customer's in order."""
        done = self.answered()
        return all([i for i in done if i in ids] == ids for ids in self.sent.values())

    def pending(self) -> int:
        """Entries of the stream that are not finished."""
        return int(self.client.xlen(INBOUND.pattern))

    def attempts(self) -> list[int]:
        """Counted attempts of messages without an answer."""
        found = rows(self.connection, "select attempts from messages where state = 'accepted' order by id")
        return [row["attempts"] for row in found]


@pytest.fixture
def road(shop_services: Services, redis_client: redis.Redis, connection: Connection) -> Road:
    """The road, on which everybody has been before."""
    road = Road(shop_services, redis_client, connection)
    road.write(LOCKED, *OTHERS)
    assert len(road.answer(road.take(6))) == 6
    return road


@pytest.mark.parametrize("table", AT_THE_DOOR)
def test_at_the_door_only_the_locked_customer_waits(road: Road, engine: Engine, table: str) -> None:
    """His messages stay in the stream, later ones behind them; when the lock goes they are answered in order."""
    with held(engine, AT_THE_DOOR[table]):
        road.write(LOCKED, *OTHERS, LOCKED)
        turns = road.take(5)
        assert sorted(turn.customer_phone for turn in turns) == OTHERS
        assert len(road.answer(turns)) == 5
        assert road.pending() == 2
        road.write(LOCKED, *OTHERS)
        assert len(road.answer(road.take(5))) == 5
        assert road.pending() == 3
    (turn,) = road.take(1)
    assert [m.message_id for m in turn.messages] == road.sent[LOCKED][1:]
    road.answer([turn])
    assert road.in_order()
    assert road.pending() == 0


@pytest.mark.parametrize("table", AT_THE_DOOR)
def test_a_held_back_customer_is_let_go_by_the_same_intake(road: Road, engine: Engine, table: str) -> None:
    """Within a pass or two after the lock is gone, without a restart; who is counted as locked is told meanwhile."""
    told: list[int] = []

    class Unlocking(Waiting):
        def waiting(self) -> int:
            count: Any = road.client.get(LOCKED_CUSTOMERS.pattern)
            if len(self.turns) == 5 and count is not None and int(count) and not told:
                told.append(int(count))
                road.write(LOCKED)
                release.__exit__(None, None, None)
            return super().waiting()

    often = road.services.settings.model_copy(update={"sweep_every_s": 0.2})
    release = held(engine, AT_THE_DOOR[table])
    release.__enter__()
    road.write(LOCKED, *OTHERS)
    chain = Unlocking(6, rounds=200)
    Intake(dataclasses.replace(road.services, settings=often), chain, chain.stop).run()
    last = turn_from_dict(chain.turns[-1])
    assert told == [1]
    assert ([m.message_id for m in last.messages], len(chain.turns)) == (road.sent[LOCKED][1:], 6)
    assert road.pending() == 0


def test_an_entry_with_a_locked_customer_is_kept_whole(road: Road, engine: Engine) -> None:
    """A body with messages of two: the other one is answered at once, and once; what is refused of it is told once."""
    unreadable = {"id": "wamid.bad", "timestamp": "1", "type": "text", "text": {"body": "?"}}
    both = webhook(road.message(LOCKED), road.message(OTHERS[0]), unreadable)
    road.client.xadd(INBOUND.pattern, {"payload": both})
    with held(engine, AT_THE_DOOR["customers"]):
        (turn,) = road.take(1)
        assert turn.customer_phone == OTHERS[0]
        road.answer([turn])
        assert (road.pending(), road.client.xlen(REJECTED.pattern)) == (1, 0)
        assert road.take(1, rounds=3) == []
    (turn,) = road.take(1)
    road.answer([turn])
    assert (road.pending(), road.client.xlen(REJECTED.pattern)) == (0, 1)
    assert road.in_order()


def test_a_row_that_is_inserted_and_not_committed_is_found(road: Road, engine: Engine) -> None:
    """Nobody sees it, so the batch is halved until its customer is alone."""
    new = "5491100000099"
    with held(engine, "insert into customers (customer_phone) values (:phone)", new):
        road.write(*OTHERS[:2], new, *OTHERS[2:])
        assert sorted(turn.customer_phone for turn in road.take(5)) == OTHERS
        assert road.pending() == 1
    assert [turn.customer_phone for turn in road.take(1)] == [new]


def overdue(road: Road) -> None:
    """Lets the leases have ended; a row that is locked keeps its own, which had ended before."""
    busy = rows(road.connection, "select customer_phone from turns where token is not null for update skip locked")
    expire_leases(road.connection, *(row["customer_phone"] for row in busy))


@pytest.mark.parametrize("table", AT_THE_COMMIT)
def test_at_the_commit_only_the_locked_customer_waits(road: Road, engine: Engine, table: str) -> None:
    """Those in his batch are answered at once. The sweep leaves him alone while he is locked, and then starts him."""
    road.write(LOCKED, *OTHERS)
    turns = road.take(6)
    overdue(road)
    with held(engine, AT_THE_COMMIT[table]):
        assert sorted(turn.customer_phone for turn in road.answer(turns)) == OTHERS
        for _ in range(2):
            assert road.sweep() == ([], {LOCKED})
            overdue(road)
        assert road.attempts() == [0]
    (again,), locked = road.sweep()
    assert (again.customer_phone, locked) == (LOCKED, set())
    road.answer([again])
    assert road.in_order()


@pytest.mark.parametrize("table", AT_THE_COMMIT)
def test_however_often_a_customer_is_locked_nothing_is_given_up(road: Road, engine: Engine, table: str) -> None:
    """The lock comes after the attempt was counted, more often than a message has attempts: it is no attempt."""
    road.write(LOCKED)
    road.take(1)
    for _ in range(MAX_ATTEMPTS + 1):
        overdue(road)
        (turn,), _ = road.sweep()
        ready = road.decide([turn])
        assert road.attempts() == [1]
        overdue(road)
        with held(engine, AT_THE_COMMIT[table]):
            closed = steps.update_session.run(road.services, ready)
            assert [turn.committed for turn in closed.turns] == [False]
        if table == "messages":
            # Nobody can take back what stands in the locked row itself.
            road.connection.execute(text("update messages set attempts = 0 where state = 'accepted'"))
        assert road.attempts() == [0]
    overdue(road)
    (turn,), _ = road.sweep()
    road.answer([turn])
    assert road.in_order()


@pytest.mark.parametrize("table", ["turns", "messages"])
def test_a_swept_turn_of_a_locked_customer_does_not_stop_the_others(road: Road, engine: Engine, table: str) -> None:
    """Counting attempts, taking them back and lengthening leases go on without him."""
    road.write(LOCKED, *OTHERS)
    road.take(6)
    overdue(road)
    turns, _ = road.sweep()
    assert len(turns) == 6
    with held(engine, AT_THE_COMMIT[table]):
        fetched = steps.fetch_session.run(road.services, turns)
        assert sorted(turn.customer_phone for turn in fetched) == OTHERS
        assert road.attempts() == [0, 1, 1, 1, 1, 1]
    fetched = steps.fetch_session.run(road.services, turns)
    with held(engine, AT_THE_COMMIT[table]):
        gone_on = route_ai.lease_for_call(road.services, fetched, lambda: True)
        assert sorted(turn.customer_phone for turn in gone_on) == OTHERS


def test_giving_turns_back_goes_around_the_locked(road: Road, engine: Engine) -> None:
    """Failed turns of others are at once where the sweep finds them."""
    road.write(LOCKED, *OTHERS)
    turns = road.take(6)
    with held(engine, AT_THE_COMMIT["turns"]):
        attempts.give_back_failed(road.services, [attempts.failure(turn, "Error") for turn in turns])
        started, _ = road.sweep()
    assert sorted(turn.customer_phone for turn in started) == OTHERS


def test_a_step_that_fails_takes_back_the_attempts_of_all_it_can(
    road: Road, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A locked customer in the batch does not make the failure of PostgreSQL an attempt of the others."""
    monkeypatch.setattr(tasks, "services", lambda: road.services)
    road.write(LOCKED, *OTHERS)
    road.take(6)
    overdue(road)
    turns, _ = road.sweep()
    ready = road.decide(turns)
    with held(engine, AT_THE_COMMIT["turns"]), engine.connect() as other:
        other.execute(text("alter table events rename to elsewhere"))
        try:
            with pytest.raises(StepFailed):
                tasks.update_session([turn_to_dict(turn) for turn in ready])
        finally:
            other.execute(text("alter table elsewhere rename to events"))
    assert road.attempts() == [0] * 6


def test_a_reply_whose_row_is_locked_is_recorded_when_it_is_free(road: Road, engine: Engine) -> None:
    """Others' figures do not wait for it, and it is published once."""
    road.write(LOCKED, *OTHERS)
    closed = steps.update_session.run(road.services, road.decide(road.take(6)))
    answered = AT_THE_COMMIT["messages"].replace("= 'accepted'", "= 'answered' and published_at is null")
    unpublished = "select customer_phone from messages where reply is not null and published_at is null"
    with held(engine, answered):
        steps.record_metrics.run(road.services, closed.turns)
        assert rows(road.connection, unpublished) == [{"customer_phone": LOCKED}]
        road.connection.execute(
            text(
                "update messages set answered_at = now() - interval '1 h' where state = 'answered'"
                " and published_at is not null"
            )
        )
    road.connection.execute(
        text(
            f"update messages set answered_at = now() - interval '1 h' where id in"
            f" (select id from ({unpublished.replace('customer_phone', 'id')}) m)"
        )
    )
    road.sweep()
    assert rows(road.connection, unpublished) == []
    assert road.in_order()


def totals(connection: Connection) -> int:
    """Messages counted as ended, whatever way."""
    found = rows(
        connection, "select coalesce(sum(value), 0)::bigint as ended from metric_totals where name = 'messages_ended'"
    )
    return int(found[0]["ended"])


def test_sums_that_all_share_stop_nobody(road: Road, engine: Engine) -> None:
    """Somebody holds every row of metric_totals: messages are accepted, answered and recorded; the sums follow."""
    road.react(OTHERS[0])
    road.take(0, rounds=3)
    before = totals(road.connection)
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("select from metric_totals for update"))
        road.react(OTHERS[0])
        road.write(LOCKED, *OTHERS)
        assert len(road.answer(road.take(6))) == 6
        assert road.pending() == 0
        assert totals(road.connection) == before
    road.write(LOCKED)
    road.answer(road.take(1))
    assert totals(road.connection) == before + 8
    assert rows(road.connection, "select 1 from events where kind = 'uncounted'") == []
    assert road.in_order()


def test_expired_sessions_of_others_are_cleaned_up(road: Road, engine: Engine) -> None:
    """The locked one is left for later."""
    expire_sessions(road.connection, LOCKED, *OTHERS)
    with held(engine, AT_THE_COMMIT["customer_sessions"]):
        assert queries.cleanup_expired_sessions(road.connection) == 5
        assert queries.cleanup_expired_sessions(road.connection) == 0
    assert queries.cleanup_expired_sessions(road.connection) == 1


def test_a_locked_table_loses_nothing(road: Road, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody waits, in the stream, and intake tries again without a restart."""
    monkeypatch.setattr(intake, "RECOVERY_PAUSE_S", 0.0)
    road.write(LOCKED, *OTHERS)
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("lock table customers in exclusive mode"))
        assert road.take(6, rounds=2) == []
        assert road.pending() == 6
    road.answer(road.take(6))
    assert road.in_order()


def test_a_hundred_locked_turns_do_not_keep_the_sweep_from_others(road: Road, engine: Engine) -> None:
    """More than it takes in one pass, all older than the one that is free."""
    many = [f"54922000{number:05d}" for number in range(120)]
    road.write(*many, OTHERS[0])
    assert len(road.take(121)) == 121
    expire_leases(road.connection, *many, ago_s=60.0)
    expire_leases(road.connection, OTHERS[0])
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("select from turns where customer_phone = any (:many) for update"), {"many": many})
        started, locked = road.sweep()
    assert [turn.customer_phone for turn in started] == [OTHERS[0]]
    assert locked <= set(many)
    assert len(locked) == 100
