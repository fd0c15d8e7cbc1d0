"""Night between two days of a replay: prices change, and replies are made ahead, or not.

The replay's days last minutes. So what was asked is told to have been asked a day before, and the service of this
process makes replies ahead as beat's task would, with a tenth of what the day before has cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Final

from sqlalchemy import text

from db.engine import connect
from worker.catalog.price_list import import_products
from worker.precache.allowance import SHARE_OF_YESTERDAY
from worker.precache.own_replies import make_own
from worker.precache.run import run
from worker.settings import Settings
from worker.steps.services import build

#: Of all products, by how much their prices change at most, and what is left of the old day.
CHANGED: Final = 0.2
LOWEST, HIGHEST = Decimal("0.85"), Decimal("1.20")
A_DAY_PASSES: Final = (
    "update request_hours set hour = hour - interval '1 day'",
    "update request_forms set asked_on = asked_on - 1",
    "update replies_ahead set made_at = made_at - interval '1 day', hit_at = hit_at - interval '1 day'",
)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Night:
    """What happens in a night. ahead: replies are made ahead."""

    seed: int
    ahead: bool

    def pass_over(self, settings: Settings, products: Sequence[Row], cost_usd: float) -> list[Row]:
        """The products with tomorrow's prices, which are the shop's then. cost_usd: of the day before."""
        url = settings.required("database_url")
        with connect(url) as connection, connection.begin():
            for statement in A_DAY_PASSES:
                connection.execute(text(statement))
        tomorrow = repriced(products, self.seed)
        changed = [new for old, new in zip(products, tomorrow, strict=True) if old != new]
        import_products(url, changed, lambda _rows: None)
        if self.ahead:
            make_ahead(settings, cost_usd)
        return tomorrow


def repriced(products: Sequence[Row], seed: int) -> list[Row]:
    """The products with other prices of a fifth of them."""
    rng = Random(seed)
    return [product | {"price": _other(rng, product)} if rng.random() < CHANGED else product for product in products]


def _other(rng: Random, product: Row) -> Any:
    factor = LOWEST + (HIGHEST - LOWEST) * Decimal(rng.randrange(1_000)) / 1_000
    price = (Decimal(str(product["price"])) * factor).quantize(Decimal("0.01"))
    return type(product["price"])(price)


def make_ahead(settings: Settings, cost_usd: float) -> None:
    """All replies that are likely to be wanted tomorrow, as far as the money reaches, and those of our own words."""
    allowed = Decimal(str(round(cost_usd, 6))) / SHARE_OF_YESTERDAY
    services = build(settings.model_copy(update={"precache_daily_usd": allowed}))
    try:
        while run(services, lambda: True, lambda _answered, _asking: None):
            pass
        make_own(services, lambda: True)
    finally:
        services.engine.dispose()
        services.redis.close()
