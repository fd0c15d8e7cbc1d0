"""Invalidation of what Redis keeps: of messages that were revoked, of customers who were joined."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import redis
from redis.exceptions import RedisError

from worker.log import logger, warned
from worker.redisdb.cache import Cache, moving_counts
from worker.redisdb.keys import AI_RESPONSE, CALL_LIMIT, PRODUCT_SEARCH, REPLY_LIMIT, SESSION

log = logger(__name__)


def invalidate(
    durable: redis.Redis, cache: Cache, accepted: Mapping[str, Any], terms_of: Callable[[str], Iterable[str]]
) -> None:
    """Does what a commit of messages demands of Redis. terms_of: product searches that a text leads to."""
    if forgotten := accepted.get("forgotten"):
        _forget_revoked(cache, forgotten, terms_of)
    if joined := accepted.get("joined"):
        _follow(durable, cache, joined)
        log.info("customers_joined", customers=len(joined))


def _forget_revoked(
    cache: Cache, forgotten: Mapping[str, Sequence[str]], terms_of: Callable[[str], Iterable[str]]
) -> None:
    """Forgets the session, the replies and the searches: those of a turn that was answered are known, those of one that
    was not follow from its words.
    """
    searches = {*forgotten["terms"], *(term for words in forgotten["words"] for term in terms_of(words))}
    cache.delete(
        *map(SESSION.key, forgotten["phones"]),
        *map(AI_RESPONSE.key, forgotten["reply_keys"]),
        *map(PRODUCT_SEARCH.key, searches),
    )


def _follow(durable: redis.Redis, cache: Cache, joined: Sequence[Mapping[str, str]]) -> None:
    """Calls and replies of the hour of customers who are gone count as those of whom they are now. A Redis that does
    not answer counts anew.
    """
    moved = [(pair["gone"], pair["kept"]) for pair in joined]
    cache.delete(*(SESSION.key(customer) for pair in moved for customer in pair))
    cache.move_counts(REPLY_LIMIT, moved)
    with warned(log, "calls_not_moved", RedisError):
        calls: Any = [durable.get(CALL_LIMIT.key(gone)) for gone, _ in moved]
        pipeline: Any = durable.pipeline(transaction=False)
        for command in moving_counts(CALL_LIMIT, moved, calls):
            pipeline.execute_command(*command)
        pipeline.execute()
