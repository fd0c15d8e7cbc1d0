"""Night between two days of a replay: conversations end, the price list changes, and replies are made ahead, or not.

The replay's days last minutes. So what was asked is told to have been asked a day before, and the service of this
process makes replies ahead as beat's tasks would, with a tenth of what the day before has cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text

from db.engine import connect
from worker.catalog.price_list import import_products
from worker.precache.allowance import SHARE_OF_YESTERDAY, spent_key
from worker.precache.own_replies import make_own
from worker.precache.run import run
from worker.redisdb.connect import connect_cache
from worker.redisdb.keys import SESSION
from worker.settings import Settings
from worker.steps.services import Services, build

#: An hour has one row for each form: all go far back first, so that none meets the one of the day before.
FAR_DAYS: Final = 1_000
A_DAY_PASSES: Final = (
    f"update request_hours set hour = hour - interval '{FAR_DAYS} days'",
    f"update request_hours set hour = hour + interval '{FAR_DAYS - 1} days'",
    "update request_forms set asked_on = asked_on - 1",
    "update customer_sessions set expires_at = expires_at - interval '1 day'",
    "update replies_ahead set made_at = made_at - interval '1 day', hit_at = hit_at - interval '1 day'",
)
Row = dict[str, Any]


def pass_night(settings: Settings, before: Sequence[Row], after: Sequence[Row]) -> None:
    """A day passes, and tomorrow's price list is the shop's."""
    url = settings.required("database_url")
    with connect_cache(settings) as cache:
        for key in cache.scan_iter(SESSION.key("*")):
            cache.delete(key)
    with connect(url) as connection, connection.begin():
        for statement in A_DAY_PASSES:
            connection.execute(text(statement))
    known = {row["sku"]: row for row in before}
    import_products(url, [row for row in after if known.get(row["sku"]) != row], lambda _rows: None)


def make_ahead(settings: Settings, cost_usd: float) -> None:
    """Makes all replies that are likely to be wanted tomorrow, as far as the money reaches, and those of our own words.
    cost_usd: of the day before.
    """
    with _services(settings, Decimal(str(round(cost_usd, 6))) / SHARE_OF_YESTERDAY) as services:
        services.redis.delete(spent_key())  # of the night before
        while run(services, lambda: True, lambda _answered, _asking: None):
            pass
        make_own(services, lambda: True)


def open_with_own_replies(settings: Settings) -> None:
    """Makes what beat makes in the first minutes of a shop whose price list has come: replies of its own words."""
    with _services(settings, None) as services:
        make_own(services, lambda: True)


@contextmanager
def _services(settings: Settings, allowed_usd: Decimal | None) -> Iterator[Services]:
    services = build(settings.model_copy(update={"precache_daily_usd": allowed_usd}))
    try:
        yield services
    finally:
        services.engine.dispose()
        services.redis.close()
