"""A shop that has been asked things before, and the replies that it makes ahead."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

from msgspec.structs import replace
from sqlalchemy import Engine, text

from db.products import put_products
from helpers.factories import product
from helpers.turns import message, session_of, turn_of
from worker import steps
from worker.precache.run import run
from worker.session.session import Context, Exchange
from worker.session.turn import Turn
from worker.settings import Settings, read_settings
from worker.steps.services import Services, build
from worker.telemetry.asked import AskedCounts, form_key

MILK = "que leche me recomendas"
RICE = "que arroz me recomendas"


@dataclass
class AskedShop:
    """Services of a shop that sells milk and rice.

    Args:
        answered, asking: turns that its calls ahead have met.
        looks: how often queue `ai` is found empty from now on.
    """

    services: Services
    engine: Engine
    answered: list[Turn] = field(default_factory=list)
    asking: list[Turn] = field(default_factory=list)
    looks: int = 1_000_000

    def was_asked(self, form: str, times: int = 10, days_ago: int = 1) -> None:
        """So many times on some day, at this hour."""
        self.sql(
            "insert into request_forms (form_key, form, askers) values (:key, :form, 3) on conflict do nothing",
            key=form_key(form),
            form=form,
        )
        self.sql(
            """insert into request_hours (hour, form_key, asked)
               values (date_trunc('hour', now(), 'UTC') - make_interval(days => :ago), :key, :asked)""",
            ago=days_ago,
            key=form_key(form),
            asked=times,
        )

    def reprice(self, price: str) -> None:
        """Milk at another price."""
        with self.engine.begin() as connection:
            put_products(connection, [product("1", "Leche entera", price=str(Decimal(price)))])

    def make_ahead(self) -> int:
        """One run of beat's task."""
        return run(self.services, self._idle, self._send_on)

    def _idle(self) -> bool:
        self.looks -= 1
        return self.looks >= 0

    def _send_on(self, answered: Sequence[Turn], asking: Sequence[Turn]) -> None:
        self.answered += answered
        self.asking += asking

    def planned(self, words: str, phone: str = "5491100000001", before: str = "") -> Turn:
        """A customer's message as a model would be asked about it. before: what the customer wrote last."""
        version: Any = self.sql("select version from catalog_version")[0][0]
        context = Context(history=(Exchange(before, "¡Hola!"),) if before else ())
        given = {"catalog_version": version, "messages": (message(words),), "session": session_of(phone, context)}
        turn = turn_of(words, phone, str(uuid4()), **given)
        read = steps.route_ai.read(self.services, [turn])
        found = steps.planning.search_all(self.services.catalog, [(turn, read[turn.token])])
        now = self.sql("select now()")[0][0]
        return steps.route_ai.plan(self.services, [turn], read, found, now)[0]

    def routed(self, words: str, phone: str = "5491100000001") -> Turn:
        """The same with its outcome, where the cache has one."""
        return steps.route_ai.from_cache([self.planned(words, phone)], self.services.cache)[0]

    def recorded(self, *turns: Turn) -> None:
        """The end of these turns, as if they were committed."""
        steps.record_metrics.run(self.services, [replace(turn, committed=True).without_words() for turn in turns])

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Rows that a statement brings."""
        with self.engine.begin() as connection:
            found = connection.execute(text(statement), values)
            return [tuple(row) for row in found] if found.returns_rows else []


@contextmanager
def asked_shop(settings: Settings, engine: Engine, base_urls: dict[str, str], **given: str) -> Iterator[AskedShop]:
    """The shop before simulated providers, on empty servers; a dollar a day unless said."""
    keys = dict.fromkeys(("OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY"), "sk-test")
    urls = {"DATABASE_URL": settings.required("database_url"), "REDIS_URL": settings.required("redis_url")}
    services = build(read_settings(urls | keys | base_urls | {"PRECACHE_DAILY_USD": "1"} | given))
    with engine.begin() as connection:
        put_products(connection, [product("1", "Leche entera"), product("2", "Arroz largo")])
    yield AskedShop(dataclasses.replace(services, asked=AskedCounts(write_every_s=0.0)), engine)
    services.engine.dispose()
    services.redis.close()
