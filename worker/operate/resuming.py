"""Giving a customer back from a person to the AI: what the command and the dashboard share."""

from collections.abc import Sequence
from contextlib import suppress

import redis
from redis.exceptions import RedisError

from worker.redisdb.keys import REPLY_LIMIT


def forget_replies(cache: redis.Redis, phones: Sequence[str]) -> None:
    """Begins the count of an hour's replies anew: a customer who had all of them would be silenced again at once. A
    cache Redis that does not answer limits nobody.
    """
    if phones:
        with suppress(RedisError):
            cache.delete(*map(REPLY_LIMIT.key, phones))
