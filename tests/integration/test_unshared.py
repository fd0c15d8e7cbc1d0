"""Messages that are not everybody's are counted by reason, on the real servers."""

from __future__ import annotations

import redis
from helpers.factories import ANA
from helpers.service import says, webhook
from helpers.turns import turn_from_dict
from test_locked_customers import Waiting

from worker import steps
from worker.intake.intake import Intake
from worker.operate.snapshot import read_cache_use
from worker.redisdb.keys import INBOUND
from worker.steps.services import Services


def test_the_reason_is_counted_and_no_word(shop_services: Services, redis_client: redis.Redis) -> None:
    """With the next round trip to the cache."""
    shop_services.redis.xadd(INBOUND.pattern, {"payload": webhook(says("wamid.1", ANA, "y la otra?"))})
    chain = Waiting(1)
    Intake(shop_services, chain, chain.stop).run()
    turns = steps.fetch_session.run(shop_services, [turn_from_dict(turn) for turn in chain.turns])
    steps.route_ai.run(shop_services, turns, lambda: True)
    counted = {reason: count for reason, count in read_cache_use(redis_client).unshared.items() if count}
    assert counted == {"leans": 1}
