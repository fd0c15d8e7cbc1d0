"""Two machines that answer each other, and one customer's flood, on the real servers; steps are called directly."""

from __future__ import annotations

from time import time
from typing import Any

import orjson
import pytest
import redis
from helpers.factories import ANA, row, rows
from helpers.turns import decided, turn_from_dict, turn_to_dict
from msgspec.structs import replace
from sqlalchemy import Connection
from test_locked_customers import Road

from worker import steps
from worker.redisdb.keys import INBOUND, OUTBOUND
from worker.session.machine import TIMES, TIMES_IN_A_ROW
from worker.session.turn import Turn
from worker.steps.services import Services
from worker.steps.turn_commit import MAX_TURN_MESSAGES

GREETING = "¡Hola! Bienvenido a Panadería La Espiga, ¿qué pan querés hoy?"
AWAY = "Gracias por comunicarte con Kiosco Ana. En este momento no estamos disponibles."
FLOOD = 300


@pytest.fixture
def road(shop_services: Services, redis_client: redis.Redis, connection: Connection) -> Road:
    """The road of a shop with two products."""
    return Road(shop_services, redis_client, connection)


def answer(road: Road, turns: list[Turn]) -> list[Turn]:
    """Through all steps, travelling between them as between processes; a model answers what is left. The turns that
    were claimed at the end.
    """
    fetched = [turn_from_dict(turn_to_dict(turn)) for turn in steps.fetch_session.run(road.services, turns)]
    answered, missed = steps.route_ai.run(road.services, fetched, lambda: True)
    closed = steps.update_session.run(road.services, [*answered, *(replace(m, outcome=decided()) for m in missed)])
    steps.record_metrics.run(road.services, closed.turns)
    return [turn_from_dict(turn) for turn in closed.next_turns]


def replies(client: redis.Redis) -> list[dict[str, Any]]:
    """All that were published."""
    entries: Any = client.xrange(OUTBOUND.pattern)
    return [orjson.loads(entry[b"payload"]) for _, entry in entries]


@pytest.mark.parametrize(("text", "exchanges"), [(GREETING, TIMES - 1), ("hola", TIMES_IN_A_ROW - 1), (AWAY, 1)])
def test_two_machines_come_to_an_end(road: Road, connection: Connection, text: str, exchanges: int) -> None:
    """The other one answers every reply with its text: a few exchanges, one notice that a person was told, silence."""
    for number in range(3 * TIMES):
        road.write(ANA, said=text)
        answer(road, road.take(1))
        if len(replies(road.client)) == number:
            break
    assert [reply["source"] for reply in replies(road.client)] == ["ai"] * exchanges + ["canned"]
    assert replies(road.client)[-1]["text"] == road.services.shop.text("handover.machine")
    states = [one["state"] for one in rows(connection, "select state from messages order by id")]
    assert states == ["answered"] * (exchanges + 1) + ["closed"]
    context = row(connection, "select context_data from customer_sessions")["context_data"]
    assert (context["human_reason"], context["human_told"]) == ("machine", True)


def test_a_flood_holds_nobody_up(road: Road, connection: Connection) -> None:
    """Of 300 messages of one customer ten are in work at a time: others who write behind them are in the same batch."""
    bodies = [{"message_id": f"flood.{n}", "from": ANA, "text": f"mensaje {n}"} for n in range(FLOOD)]
    others = [{"message_id": f"other.{n}", "from": f"54911000002{n:02}", "text": "hola"} for n in range(20)]
    pipeline = road.client.pipeline()
    for body in [*bodies, *others]:
        pipeline.xadd(INBOUND.pattern, {"payload": orjson.dumps(body | {"timestamp": int(time())})})
    pipeline.execute()
    turns = road.take(1 + len(others))
    assert sorted(len(turn.messages) for turn in turns) == [1] * len(others) + [MAX_TURN_MESSAGES]
    answered = 0
    while turns:
        turns = answer(road, turns)
        answered += 1
        assert len(turns) <= 1
    assert answered == FLOOD / MAX_TURN_MESSAGES
    assert row(connection, "select count(*) as open from messages where state = 'accepted'")["open"] == 0
    assert {reply["to"] for reply in replies(road.client)[: len(others) + 1]} == {ANA, *(one["from"] for one in others)}


def test_a_group_gets_no_private_answer(road: Road, connection: Connection) -> None:
    """What is said there is closed; the same person alone with us is answered."""
    said = {"message_id": "g1", "from": ANA, "text": "hola", "group_id": "Y2FwaV9ncm91cDox"}
    for body in (said, {"message_id": "m1", "from": ANA, "text": "hola a todos"}):
        road.client.xadd(INBOUND.pattern, {"payload": orjson.dumps(body)})
    (turn,) = road.take(1)
    assert [message.message_id for message in turn.messages] == ["m1"]
    assert rows(connection, "select message_id, state from messages order by id") == [
        {"message_id": "g1", "state": "closed"},
        {"message_id": "m1", "state": "accepted"},
    ]
