"""The running service of the sample shop before a model of the test's own, and what its gateway and its shop see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine

from helpers.basics import Servers
from helpers.puppet import Puppet, assistant, puppet
from helpers.service import Conversation, begin_anew, forget, service_processes, supervised
from helpers.shopping import Shopper
from worker.catalog.price_list import import_products, read_products
from worker.devkit.demo import CATALOG, SHOP
from worker.devkit.gateway import Gateway
from worker.redisdb.connect import connect_redis
from worker.runtime.supervisor import Supervisor

Json = dict[str, Any]
_PHONES = count(5_491_166_000_000)


@dataclass
class Store:
    """The running service of the sample shop, and its model."""

    conversation: Conversation
    model: Puppet
    supervisor: Supervisor
    servers: Servers

    def shopper(self) -> Shopper:
        """A customer who has never written."""
        return Shopper(self.conversation, str(next(_PHONES)))

    def orders(self, shopper: Shopper) -> list[Json]:
        """A customer's orders as the shop is told of them, once it is told of all that are placed."""
        count = "select count(*) from orders where customer_phone = :phone"
        placed = self.conversation.sql(count, phone=shopper.phone)[0][0]
        self.conversation.wait_until(lambda: len(self._told(shopper)) >= placed)
        return self._told(shopper)

    def _told(self, shopper: Shopper) -> list[Json]:
        entries: Any = self.conversation.redis.xrange("whatsapp:orders")
        events = [orjson.loads(fields[b"payload"]) for _, fields in entries]
        assert {event["event"] for event in events} <= {"placed"}
        return [event["order"] for event in events if event["order"]["customer"] == shopper.phone]

    def relist(self, sku: str, **changes: str) -> None:
        """A new price list with this product, as the sample has it but for the changes."""
        rows = [row | changes for row in read_products(CATALOG) if row["sku"] == sku]
        import_products(self.servers.database_url, rows, lambda _rows: None)

    def begin(self) -> None:
        """The model is well, its circuit closed, and the shelves are full."""
        self.model.mind = assistant
        forget(self.conversation.redis, "ai_circuit:*")
        self.conversation.sql("update products set stock = 1000 where stock > 0 returning id")


@contextmanager
def open_store(servers: Servers, engine: Engine, directory: Path) -> Iterator[Store]:
    """The service with an empty database, the sample shop's facts and catalogue, and one model."""
    with ExitStack() as stack:
        model = stack.enter_context(puppet())
        given = model.environment() | {"SHOP_FILE": str(SHOP)}
        supervisor, log = stack.enter_context(service_processes(servers, directory, given))
        client = stack.enter_context(connect_redis(servers.redis_url, timeout_s=5.0))
        begin_anew(servers, engine, client)
        stack.enter_context(supervised(supervisor))
        yield Store(Conversation(engine, client, log, Gateway(client)), model, supervisor, servers)
