"""Replies per customer and hour, on the real servers; the steps of the chain are called directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as with_changes
from typing import Any

import orjson
import pytest
import redis
from click.testing import CliRunner
from helpers.factories import ANA, BRUNO, expire_leases, rows
from helpers.service import says, webhook
from helpers.turns import SHOP, decided, turn_from_dict, turn_to_dict
from msgspec.structs import replace
from sqlalchemy import Connection, text
from test_locked_customers import Waiting

from worker import steps
from worker.intake.intake import Intake
from worker.intake.sweep import Sweep
from worker.operate.commands.customers import resume
from worker.redisdb.cache import Cache
from worker.redisdb.connect import connect_redis
from worker.redisdb.keys import INBOUND, LIMITED, OUTBOUND, REPLY_LIMIT
from worker.session.turn import Turn
from worker.steps.services import Services

MOST = 5
NOTICE_TEXT = SHOP.text("handover.limited")
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def services(shop_services: Services, redis_client: redis.Redis) -> Services:
    """A shop with a low limit and no pause."""
    return with_changes(shop_services, settings=limited_to(shop_services, MOST))


def limited_to(services: Services, most: int) -> Any:
    """The settings with another limit."""
    return services.settings.model_copy(update={"replies_per_customer_hour": most})


def write(services: Services, *phones: str, said: str = "hola") -> list[Turn]:
    """A message of each, as intake hands it on."""
    for phone in phones:
        number = services.redis.incr("test:number")
        services.redis.xadd(INBOUND.pattern, {"payload": webhook(says(f"wamid.{number}", phone, said))})
    chain = Waiting(len(phones))
    Intake(services, chain, chain.stop).run()
    return [turn_from_dict(turn) for turn in chain.turns]


def route(services: Services, turns: Sequence[Turn]) -> list[Turn]:
    """Through the first two steps, travelling between them as between processes; a model answers what is left."""
    fetched = [turn_from_dict(turn_to_dict(turn)) for turn in steps.fetch_session.run(services, turns)]
    answered, missed = steps.route_ai.run(services, fetched, lambda: True)
    return [*answered, *(replace(turn, outcome=decided()) for turn in missed)]


def close(services: Services, turns: Sequence[Turn]) -> None:
    """Through the last two."""
    closed = steps.update_session.run(services, route(services, turns))
    steps.record_metrics.run(services, closed.turns)


def replies(services: Services) -> list[dict[str, Any]]:
    """All that were published."""
    entries: Any = services.redis.xrange(OUTBOUND.pattern)
    return [orjson.loads(entry[b"payload"]) for _, entry in entries]


def states(connection: Connection, phone: str = ANA) -> list[str]:
    """How the customer's messages ended, in order."""
    return [
        row["state"]
        for row in rows(connection, "select * from messages where customer_phone = :p order by id", p=phone)
    ]


def test_two_machines_that_answer_each_other_come_to_an_end(services: Services, connection: Connection) -> None:
    """The other one answers every reply: as many as are allowed, one notice that a person was told, and silence."""
    turns = write(services, ANA)
    for seen in range(3 * MOST):
        close(services, turns)
        if len(replies(services)) == seen:
            break
        turns = write(services, ANA, said=replies(services)[-1]["text"])
    assert [reply["source"] for reply in replies(services)] == ["ai"] * MOST + ["canned"]
    notice = replies(services)[-1]
    assert (notice["text"], notice["requires_human"]) == (NOTICE_TEXT, True)
    assert states(connection) == ["answered"] * (MOST + 1) + ["closed"]
    (session,) = rows(connection, "select context_data from customer_sessions")
    assert {"human_until", "human_told"} <= session["context_data"].keys()


def test_silence_lasts_longer_than_the_wait_for_a_person(services: Services, connection: Connection) -> None:
    """Within the hour no second notice is sent, and the wait begins again; when the hour is over the AI answers."""
    for _ in range(MOST + 1):
        close(services, write(services, ANA))
    no_wait = (
        "update customer_sessions set version = nextval('session_version'), context_data = context_data - 'human_until'"
    )
    connection.execute(text(no_wait))
    close(services, write(services, ANA))
    assert (len(replies(services)), states(connection)[-1]) == (MOST + 1, "closed")
    connection.execute(text(no_wait))
    services.redis.delete(REPLY_LIMIT.key(ANA))
    close(services, write(services, ANA))
    assert replies(services)[-1]["source"] == "ai"


def test_an_ordinary_customer_is_not_touched(shop_services: Services, connection: Connection) -> None:
    """Thirty messages within the hour, at the limit as it is shipped; nor does another customer's count matter."""
    for number in range(30):
        close(shop_services, write(shop_services, ANA, BRUNO, said=("hola", "gracias")[number % 2]))
    assert states(connection) == states(connection, BRUNO) == ["answered"] * 30
    assert {reply["source"] for reply in replies(shop_services)} == {"ai"}
    assert 0 < shop_services.redis.ttl(REPLY_LIMIT.key(ANA)) <= 3_600


def test_a_step_that_is_repeated_counts_once(services: Services, connection: Connection) -> None:
    """Each step twice, and a run that is lost and started again by the sweep: one reply, one count."""
    (turn,) = write(services, ANA)
    route(services, [turn])
    expire_leases(connection, ANA)
    started: list[dict[str, Any]] = []
    Sweep(services, started.extend).once(connection)
    ready = route(services, [turn_from_dict(started[0])])
    for _ in range(2):
        steps.record_metrics.run(services, steps.update_session.run(services, ready).turns)
    assert services.redis.get(REPLY_LIMIT.key(ANA)) == b"1"
    assert len(replies(services)) == 1


def test_a_notice_that_is_lost_on_its_way_is_given_again(services: Services, connection: Connection) -> None:
    """The run dies after it was decided; the sweep's run decides the same."""
    for _ in range(MOST):
        close(services, write(services, ANA))
    (turn,) = write(services, ANA)
    assert [t.decided().source for t in route(services, [turn])] == ["canned"]
    expire_leases(connection, ANA)
    started: list[dict[str, Any]] = []
    Sweep(services, started.extend).once(connection)
    close(services, [turn_from_dict(row) for row in started])
    assert replies(services)[-1]["text"] == NOTICE_TEXT


def test_without_redis_nobody_is_limited(services: Services) -> None:
    """The cache Redis does not answer: replies go on."""
    for _ in range(MOST + 1):
        close(services, write(services, ANA))
    away = with_changes(services, cache=Cache(connect_redis(NOWHERE, 0.1)))
    (turn,) = write(services, BRUNO)
    for number in range(2 * MOST):
        close(away, [turn])
        (turn,) = write(services, BRUNO, said=("gracias", "hola")[number % 2])
    assert [reply["source"] for reply in replies(services) if reply["to"] == BRUNO] == ["ai"] * 2 * MOST


def test_resuming_begins_the_count_anew(services: Services) -> None:
    """Or the customer would be silenced again at the next message; a notice is counted for the exporter."""
    for _ in range(MOST + 2):
        close(services, write(services, ANA))
    resumed = CliRunner().invoke(resume, [ANA])
    assert (resumed.exit_code, resumed.exception) == (0, None)
    close(services, write(services, ANA))
    assert replies(services)[-1]["source"] == "ai"
    counts: Any = services.redis.hgetall(next(services.redis.scan_iter("metrics:cache:*")))
    assert counts[LIMITED.encode()] == b"1"
