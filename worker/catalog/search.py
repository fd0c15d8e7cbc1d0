"""Categories and product search through the cache; every cached value names the catalogue version it was read at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Engine

from db import queries, retry
from worker.language.product_words import Goods, goods_of
from worker.language.search_terms import search_terms
from worker.redisdb.cache import Cache
from worker.redisdb.keys import CATEGORIES, PRODUCT_SEARCH

__all__ = ["Catalog", "distinct", "search_terms"]

MAX_RESULTS = 5
GOODS_TTL_S = 300.0


class Catalog:
    """What the shop sells, as of a catalogue version."""

    def __init__(self, engine: Engine, cache: Cache, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._cache = cache
        self._clock = clock
        self._categories: tuple[int, list[str]] | None = None
        self._goods: Goods | None = None
        self._named: tuple[frozenset[str], ...] = ()
        self._goods_until = 0.0

    def categories(self, version: int) -> list[str]:
        """Category names; cached for 30 minutes as long as the version stands, and by this process for as long."""
        if self._categories is None or self._categories[0] != version:
            self._categories = version, self._read_categories(version)
        return self._categories[1]

    def _read_categories(self, version: int) -> list[str]:
        found = self._cache.get_many(CATEGORIES, ["all"]).get("all")
        if found and found["version"] == version:
            return list(found["names"])
        names = retry.run(self._engine, queries.categories)
        self._cache.set_many(CATEGORIES, {"all": {"version": version, "names": names}})
        return names

    def goods(self) -> Goods:
        """What the things sold here are called, at most 5 minutes old: a word more or less only decides whether a
        question may be shared, never what is answered. The same object as long as nothing has another name, since
        whatever remembers a text remembers with it what was sold.
        """
        now = self._clock()
        if self._goods is None or now >= self._goods_until:
            named = tuple(
                frozenset(retry.run(self._engine, read)) for read in (queries.product_names, queries.categories)
            )
            if self._goods is None or named != self._named:
                self._goods, self._named = goods_of(*named), named
            self._goods_until = now + GOODS_TTL_S
        return self._goods

    def search(self, wanted: Mapping[str, int]) -> dict[str, list[dict[str, Any]]]:
        """Products by term, for terms with the catalogue version they are wanted at: one MGET, and for all misses
        together one query and one write.
        """
        cached = self._cache.get_many(PRODUCT_SEARCH, list(wanted))
        results = {term: list(entry["products"]) for term, entry in cached.items() if entry["version"] == wanted[term]}
        missing = [term for term in wanted if term not in results]
        if missing:
            fresh = self._query(missing)
            self._cache.set_many(
                PRODUCT_SEARCH, {term: {"version": wanted[term], "products": fresh[term]} for term in missing}
            )
            results |= fresh
        return results

    def _query(self, terms: list[str]) -> dict[str, list[dict[str, Any]]]:
        rows = retry.run(self._engine, lambda connection: queries.search_products(connection, terms, MAX_RESULTS))
        found: dict[str, list[dict[str, Any]]] = {term: [] for term in terms}
        for row in rows:
            found[row["term"]].append(_product(row))
        return found


def _product(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "name", "brand", "category", "format", "currency", "stock")
    return {name: row[name] for name in names} | {"price": str(row["price"])}


def distinct(products: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Each product once, in order."""
    return tuple({product["id"]: product for product in products}.values())
