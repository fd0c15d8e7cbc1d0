"""Replies of our own words, made ahead: to questions about one product, and to those that were asked of late. So they
are in the reply cache before anybody asks.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

import msgspec
from redis.exceptions import RedisError
from sqlalchemy import Connection

from db import requests as asked
from db.products import product_names
from worker.language.normalise import normalised
from worker.language.product_words import ProductWords
from worker.language.sharing import judged
from worker.log import logger
from worker.precache.forecast import DAY_H
from worker.precache.requests import CHUNK, rendered
from worker.precache.run import alone
from worker.providers.reply_cache import in_own_words
from worker.redisdb.keys import AI_RESPONSE, OWN_REPLIES
from worker.replies.own_words import CHEAPEST, ONE_PRODUCT
from worker.replies.prompt import cache_key, render
from worker.session.turn import Plan
from worker.steps.services import Services

#: Words of a product's name that customers say.
MOST_SAID: Final = 3
#: Forms that are looked at, those first by whose words most names begin.
MOST_FORMS: Final = 5_000
log = logger(__name__)


def make_own(services: Services, idle: Callable[[], bool]) -> int:
    """Makes what is missing, once for each state of the catalogue and the shop, and again after half a day; of a fleet
    one process at a time does. Stops where a customer's call waits, and goes on another time. Returns how many
    replies were made; none with PRECACHE_DAILY_USD=0. They cost nothing, so a shop has them from its first day.
    """
    if services.settings.precache_daily_usd == 0 or not idle():
        return 0
    with alone(services) as connection:
        if connection is None or _is_made(services, state := _state(services, connection)):
            return 0
        made, ended = _make_all(services, connection, idle)
        if ended:
            _note(services, state)
        if made:
            log.info("own_replies_made_ahead", replies=made)
        return made


def _state(services: Services, connection: Connection) -> str:
    """Digest of what is sold and told now."""
    version = asked.catalog_version(connection)
    return cache_key(render(services.shop, str(version), services.catalog.categories(version), (), None))


def _is_made(services: Services, state: str) -> bool:
    """Returns whether all were made in this state; also where nobody can tell."""
    try:
        return bool(services.redis.exists(OWN_REPLIES.key(state)))
    except RedisError as exc:
        log.warning("own_replies_unavailable", error=type(exc).__name__)
        return True


def _note(services: Services, state: str) -> None:
    with suppress(RedisError):
        services.redis.set(OWN_REPLIES.key(state), 1, ex=OWN_REPLIES.ttl_s)


def _make_all(services: Services, connection: Connection, idle: Callable[[], bool]) -> tuple[int, bool]:
    """Returns how many were made, and whether that is all."""
    forms = iter(dict.fromkeys((*_known(connection), *_of_names(connection, services.catalog.product_words()))))
    made = 0
    while some := list(islice(forms, CHUNK)):
        if not idle():
            return made, False
        made += _make(services, rendered(services, connection, some))
    return made, True


def _known(connection: Connection) -> list[str]:
    """Forms that were asked of late."""
    keys = {key for key, *_ in asked.days(connection, DAY_H)}
    forms = asked.forms(connection, sorted(keys)).values()
    return [form for form in forms if ONE_PRODUCT.fullmatch(form) or CHEAPEST.fullmatch(form)]


def _of_names(connection: Connection, words: ProductWords) -> Iterator[str]:
    """Forms in which the products are asked for by the first words of their names."""
    names = [normalised(name).split() for name in product_names(connection)]
    said = Counter(" ".join(name[:count]) for name in names for count in range(1, 1 + min(MOST_SAID, len(name))))
    # One word is said more often than two.
    for name in sorted(said, key=lambda name: (name.count(" "), -said[name]))[:MOST_FORMS]:
        form = judged(question := f"tenes {name}", question, words).form
        if form and ONE_PRODUCT.fullmatch(form):
            yield form


def _make(services: Services, plans: dict[str, Plan]) -> int:
    """Puts our replies to plans that have none into the reply cache."""
    there = services.cache.renew(AI_RESPONSE, [plan.key for plan in plans.values()])
    if there is None:
        return 0
    missing = (plan for plan in plans.values() if plan.key not in there)
    entries = {plan.key: entry for plan in missing if (entry := in_own_words(services.shop, plan))}
    services.cache.set_many(AI_RESPONSE, {key: msgspec.to_builtins(entry) for key, entry in entries.items()})
    return len(entries)
