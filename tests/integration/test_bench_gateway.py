"""The gateway of the benchmark on a real Redis, with a service that answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import orjson
import redis
from bench.crowd import Written
from bench.gateway import BenchGateway

from worker.redisdb.keys import OUTBOUND

MESSAGES, RATE = 20, 200.0


def test_at_a_rate_each_message_has_its_own_time(redis_client: redis.Redis) -> None:
    """Those of one customer too, who does not wait: none is kept back and sent with others in the end."""
    sent: list[int] = []

    def answer(messages: Sequence[Written]) -> list[int]:
        for message in messages:
            reply = {"to": message.customer, "in_reply_to": [message.id], "source": "cache"}
            redis_client.xadd(OUTBOUND.pattern, {"payload": orjson.dumps(reply)})
        sent.append(len(messages))
        seconds, microseconds = redis_client.time()
        return [seconds * 1_000 + microseconds // 1_000] * len(messages)

    messages = [Written(f"m{n}", str(n % 3), "Ana", "hola") for n in range(MESSAGES)]
    played = BenchGateway(redis_client, answer).at_rate(messages, RATE, Random(1))
    assert sent == [1] * MESSAGES
    assert played.answered == MESSAGES
