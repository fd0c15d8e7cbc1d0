"""Turns that wait for their customers to be quiet, on the real servers; the steps of the chain are called directly.

REPLY_QUIET_S is so long that nothing falls due by itself; the tests let the time pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as with_changes
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from helpers.factories import ANA, BRUNO, LIMITS, accept, accept_one, inbound, row, rows, wamids
from msgspec import to_builtins
from sqlalchemy import Connection, text
from test_locked_customers import AT_THE_DOOR, Road, Waiting, held

from db import queries
from worker import steps
from worker.intake.intake import Intake
from worker.intake.quiet_turns import GRAIN_S, QuietTurns
from worker.providers.reply_cache import CachedReply
from worker.redisdb.keys import AI_RESPONSE
from worker.session.outcome import Decision
from worker.session.turn import Turn
from worker.steps.quiet_time import LONGEST
from worker.steps.services import Services

QUIET_S = 60.0
ASKS_A_MODEL = "agregame dos leches y decime si hay arroz"
PARTS = ("hola buenas", ASKS_A_MODEL, "ah y pan tambien", "del que cuesta menos", "para mañana a la tarde", "gracias")
#: Arguments of the database functions beside what they are called for.
WAIT = LIMITS | {"quiet_s": QUIET_S, "longest_s": LONGEST * QUIET_S, "least_s": 0.1}
CLAIM = WAIT | {"limit": 100, "late_s": 0.0}


@pytest.fixture
def road(shop_services: Services, redis_client: redis.Redis, connection: Connection) -> Road:
    """The road of a shop that waits for a minute of quiet."""
    settings = shop_services.settings.model_copy(update={"reply_quiet_s": QUIET_S})
    return Road(with_changes(shop_services, settings=settings), redis_client, connection)


def pass_time(connection: Connection, seconds: float) -> None:
    """Lets so much time have passed since all that has happened to messages and waits."""
    earlier = {"s": seconds}
    connection.execute(text("update messages set accepted_at = accepted_at - make_interval(secs => :s)"), earlier)
    connection.execute(text("update turns set quiet_until = quiet_until - make_interval(secs => :s)"), earlier)


def route(road: Road, turns: list[Turn]) -> tuple[list[Turn], list[Turn]]:
    """Turns that have their outcome, and turns that go on to a model."""
    return steps.route_ai.run(road.services, steps.fetch_session.run(road.services, turns), lambda: True)


def begin(road: Road, said: str = ASKS_A_MODEL, phone: str = ANA) -> None:
    """A message that needs a model waits for quiet."""
    road.write(phone, said=said)
    assert route(road, road.take(1)) == ([], [])


def waiting(connection: Connection) -> set[str]:
    """Customers whose turns wait for quiet."""
    sql = "select customer_phone from turns where quiet_token = token"
    return {found["customer_phone"] for found in rows(connection, sql)}


@pytest.mark.parametrize("parts", range(2, 7))
def test_a_burst_is_one_turn(road: Road, connection: Connection, parts: int) -> None:
    """Whatever the customer writes before being quiet is asked for together, once."""
    begin(road)
    for number, part in enumerate(PARTS[: parts - 1]):
        pass_time(connection, QUIET_S * 0.6)
        assert queries.claim_quiet(connection, CLAIM)["turns"] == []
        assert accept(connection, inbound(f"part{number}", ANA, text=part)) == []
    pass_time(connection, QUIET_S + 1)
    (turn,) = road.take(1)
    assert turn.quiet
    answered, missed = route(road, [turn])
    assert (answered, [one.text for one in missed]) == ([], ["\n".join([ASKS_A_MODEL, *PARTS[: parts - 1]])])
    assert turn.steps_ms["quiet"] >= QUIET_S * 1000
    assert waiting(connection) == set()


def test_the_wait_ends_though_the_customer_writes_on(road: Road, connection: Connection) -> None:
    """Four times REPLY_QUIET_S after the first message the turn goes on, with all that there is."""
    begin(road)
    for number in range(5):
        assert queries.claim_quiet(connection, CLAIM)["turns"] == []
        pass_time(connection, QUIET_S * 0.75)
        accept(connection, inbound(f"part{number}", ANA))
    assert queries.claim_quiet(connection, CLAIM)["turns"] == []
    pass_time(connection, QUIET_S * 0.3)
    (turn,) = road.take(1)
    assert (len(turn.messages), turn.quiet) == (6, True)


def test_fixed_and_cached_replies_go_at_once(road: Road, connection: Connection) -> None:
    """What needs no model waits for nobody; the same question waits while nobody has answered it."""
    road.write(ANA, said="hola")
    turns = steps.fetch_session.run(road.services, road.take(1))
    question = steps.route_ai.read(road.services, turns)
    (planned,) = steps.route_ai.plan(road.services, turns, question, {}, datetime.now(UTC))
    reply = CachedReply(Decision("support", 1.0, reply="A las ocho."), "deepseek", "deepseek-flash", 1, 1)
    road.services.cache.set_many(AI_RESPONSE, {planned.planned().key: to_builtins(reply)})
    answered, missed = steps.route_ai.run(road.services, turns, lambda: True)
    assert ([turn.decided().source for turn in answered], missed) == (["cache"], [])
    road.write(BRUNO, said="quiero hablar con una persona")
    answered, missed = route(road, road.take(1))
    assert ([turn.decided().source for turn in answered], missed) == (["canned"], [])
    assert waiting(connection) == set()


def test_who_has_been_quiet_does_not_wait(road: Road, connection: Connection) -> None:
    """The time counts from the message, not from when somebody came to look at it."""
    road.write(ANA, said=ASKS_A_MODEL)
    turns = road.take(1)
    pass_time(connection, QUIET_S)
    answered, missed = route(road, turns)
    assert (answered, [turn.customer_phone for turn in missed]) == ([], [ANA])


def test_a_full_turn_does_not_wait(road: Road, connection: Connection) -> None:
    """Ten messages are all that a turn can hold."""
    turns = accept(connection, *(inbound(f"m{n}", ANA, text=f"{ASKS_A_MODEL} {n}") for n in range(11)))
    assert queries.wait_for_quiet(connection, WAIT | {"turns": turns}) == set()


def test_a_wait_that_is_full_ends(road: Road, connection: Connection) -> None:
    """Nor does one go on that has become full: at the next look it goes on with ten messages."""
    begin(road)
    accept(connection, *(inbound(f"m{n}", ANA) for n in range(11)))
    connection.execute(text("update turns set quiet_until = now()"))
    (turn,) = road.take(1)
    assert (len(turn.messages), turn.quiet) == (10, True)


def test_nothing_is_lost_where_intake_forgets(road: Road, connection: Connection) -> None:
    """A wait that nobody ends is a turn whose lease ends, as any other; a swept turn waits no more."""
    begin(road)
    lease = row(connection, "select lease_until > quiet_until as outlives from turns")
    assert lease["outlives"]
    connection.execute(text("update turns set lease_until = now() - interval '1 second'"))
    swept, locked = road.sweep()
    assert ([(turn.swept, turn.quiet) for turn in swept], locked) == ([(True, False)], set())
    answered, missed = route(road, swept)
    assert (answered, [turn.token for turn in missed]) == ([], [swept[0].token])


def test_overdue_waits_come_back_whole(road: Road, connection: Connection) -> None:
    """An intake that begins after a long time looks before its sweep does, which would take the burst apart."""
    begin(road)
    accept(connection, inbound("part", ANA))
    pass_time(connection, 10 * QUIET_S)
    connection.execute(text("update turns set lease_until = now() - interval '1 second'"))
    (turn,) = road.take(1)
    assert (turn.swept, turn.quiet, len(turn.messages)) == (False, True, 2)


def test_what_came_while_no_intake_was_there_joins(road: Road, connection: Connection) -> None:
    """An intake that begins reads the stream before it looks for waits that are over: its death splits no burst."""
    begin(road)
    road.write(ANA, said="y pan tambien")
    pass_time(connection, 10 * QUIET_S)
    (turn,) = road.take(1)
    assert (turn.quiet, [message.text for message in turn.messages]) == (True, [ASKS_A_MODEL, "y pan tambien"])


def test_a_turn_that_somebody_else_has_is_left_alone(connection: Connection) -> None:
    """A note of a wait is worth nothing once the token is another; a wait noted twice is one."""
    turn = accept_one(connection)
    assert queries.wait_for_quiet(connection, WAIT | {"turns": [turn]}) == {turn["token"]}
    assert queries.wait_for_quiet(connection, WAIT | {"turns": [turn]}) == {turn["token"]}
    token = "00000000-0000-4000-8000-000000000000"
    connection.execute(text("update turns set token = :token"), {"token": token})
    pass_time(connection, 10 * QUIET_S)
    assert queries.claim_quiet(connection, CLAIM) == {"turns": [], "next_s": None}
    assert row(connection, "select token::text, lease_until is null as free from turns") == {
        "token": token,
        "free": False,
    }
    assert queries.wait_for_quiet(connection, WAIT | {"turns": [turn]}) == set()


def test_an_end_that_nobody_hears_of_is_no_second_turn(connection: Connection) -> None:
    """The token of before is worth nothing once the wait is over."""
    turn = accept_one(connection)
    queries.wait_for_quiet(connection, WAIT | {"turns": [turn]})
    pass_time(connection, 10 * QUIET_S)
    (claimed,) = queries.claim_quiet(connection, CLAIM)["turns"]
    assert claimed["token"] != turn["token"]
    assert wamids(claimed) == ["m1"]
    assert queries.extend_leases(connection, [(ANA, turn["token"])], 5.0) == set()
    assert queries.claim_quiet(connection, CLAIM) == {"turns": [], "next_s": None}


def test_it_is_remembered_who_wrote_before_our_last_reply(road: Road, connection: Connection) -> None:
    """A turn that the end of the one before has claimed stays one whose customer had not read our reply."""
    ana, bruno = (
        turn | {"waited": turn["customer_phone"] == ANA}
        for turn in accept(connection, inbound("m1"), inbound("m2", BRUNO))
    )
    queries.wait_for_quiet(connection, WAIT | {"turns": [ana, bruno]})
    pass_time(connection, 10 * QUIET_S)
    claimed = queries.claim_quiet(connection, CLAIM)["turns"]
    assert {turn["customer_phone"]: turn["waited"] for turn in claimed} == {ANA: True, BRUNO: False}


def test_a_locked_customer_keeps_nobody_waiting(road: Road, connection: Connection) -> None:
    """The others go on; who is locked follows when he is free."""
    begin(road, phone="5491100000001")
    begin(road, phone=BRUNO)
    pass_time(connection, 10 * QUIET_S)
    with held(road.services.engine, AT_THE_DOOR["turns"]):
        assert [turn.customer_phone for turn in road.take(1)] == [BRUNO]
    assert [turn.customer_phone for turn in road.take(1)] == ["5491100000001"]


def test_messages_of_nobody_end_a_wait(connection: Connection) -> None:
    """Where all that waited has been closed meanwhile, nothing is claimed and the customer is free."""
    turn = accept_one(connection)
    queries.wait_for_quiet(connection, WAIT | {"turns": [turn]})
    connection.execute(text("update messages set state = 'closed'"))
    pass_time(connection, 10 * QUIET_S)
    assert queries.claim_quiet(connection, CLAIM)["turns"] == []
    left = row(connection, "select token, quiet_token, quiet_until from turns")
    assert set(left.values()) == {None}
    assert wamids(accept_one(connection, "m2")) == ["m2"]


class Looks:
    """The clock of an intake, and how often it has asked PostgreSQL."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        self.count = 0
        asked: Callable[..., Any] = queries.claim_quiet

        def counted(*given: Any) -> Any:
            self.count += 1
            return asked(*given)

        monkeypatch.setattr(queries, "claim_quiet", counted)


def test_nobody_is_asked_for_while_nobody_waits(
    road: Road, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No look before the first wait can be over, one for all who have written at about that time, then none."""
    looks = Looks(monkeypatch)
    quiet = QuietTurns(road.services, lambda: looks.now_s)
    assert (quiet.is_due, quiet.due_in_s()) == (False, None)
    for _ in range(50):
        quiet.expect()
    assert quiet.due_in_s() == pytest.approx(QUIET_S, abs=2 * GRAIN_S)
    looks.now_s += QUIET_S - GRAIN_S
    assert not quiet.is_due
    looks.now_s += 2 * GRAIN_S
    assert quiet.is_due
    assert (quiet.claim(connection), quiet.is_due, quiet.due_in_s(), looks.count) == ([], False, None, 1)


def test_a_wait_that_goes_on_is_looked_at_when_it_is_due(
    road: Road, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An intake that knows of nothing learns at its first look when the next one is worth it."""
    begin(road)
    looks = Looks(monkeypatch)
    quiet = QuietTurns(road.services, lambda: looks.now_s)
    assert quiet.claim_late(connection) == []
    assert quiet.due_in_s() == pytest.approx(QUIET_S, abs=5.0)
    looks.now_s += QUIET_S + GRAIN_S
    pass_time(connection, QUIET_S)
    assert [turn["quiet"] for turn in quiet.claim(connection)] == [True]


def test_what_is_just_due_is_left_to_the_look_behind_the_next_read(road: Road, connection: Connection) -> None:
    """The pass of the sweep claims what is late, not what a message in the stream may still join."""
    begin(road)
    quiet = QuietTurns(road.services)
    connection.execute(text("update turns set quiet_until = clock_timestamp()"))
    connection.execute(text("update messages set accepted_at = accepted_at - interval '1 hour'"))
    assert quiet.claim_late(connection) == []
    connection.execute(text("update turns set quiet_until = quiet_until - interval '1 second'"))
    assert len(quiet.claim_late(connection)) == 1


def test_what_has_come_is_read_before_a_wait_ends(road: Road, connection: Connection) -> None:
    """An intake that is behind finds the next part in the stream, and its customer has not been quiet."""
    begin(road)
    connection.execute(text("update turns set quiet_until = clock_timestamp()"))
    looked: list[int] = []

    class Reads(QuietTurns):
        """Notes how many messages have been accepted when it looks."""

        def claim(self, connection: Connection) -> list[dict[str, Any]]:
            looked.append(row(connection, "select count(*) as n from messages")["n"])
            return super().claim(connection)

    road.write(ANA, said="y pan")
    chain = Waiting(enough=1, rounds=3)
    intake = Intake(road.services, chain, chain.stop)
    intake._quiet = Reads(road.services)
    # As an intake that has accepted the first part long ago.
    intake._quiet._look_in(-1.0)
    intake.run()
    assert looked[0] == 2
    assert chain.turns == []


def test_no_wait_no_look(road: Road, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """REPLY_QUIET_S=0: no turn waits, and nobody is asked for."""
    settings = road.services.settings.model_copy(update={"reply_quiet_s": 0.0})
    road.services = with_changes(road.services, settings=settings)
    looks = Looks(monkeypatch)
    road.write(ANA, said=ASKS_A_MODEL)
    answered, missed = route(road, road.take(1))
    assert (answered, len(missed), looks.count) == ([], 1, 0)
