"""Categories and product search through the cache; every cached value names the catalogue version it was read at."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec import Struct
from sqlalchemy import Engine

from db import retry
from db.products import categories, product_names, search_products
from worker.catalog.product import Product
from worker.catalog.product_names import called
from worker.language.catalog_terms import catalog_terms
from worker.language.product_words import ProductWords, product_words_of
from worker.language.search_terms import search_terms
from worker.language.spelling import is_any, stem
from worker.language.vocabulary import GROCERIES
from worker.redisdb.cache import Cache, entries
from worker.redisdb.keys import CATEGORIES, PRODUCT_SEARCH

MAX_RESULTS = 5
#: Products among which the cheapest are looked for: more of one name no shop has.
MOST_COMPARED = 500
GOODS_TTL_S = 300.0
#: Before a sku a search term is no words: `find_products` finds the one product with it.
BY_SKU = "#"
#: Before a word it asks for that alone, and nothing of which it may be a slip.
EXACTLY = "!"
#: Before other words it asks for the cheapest of what is called so.
BY_PRICE = "<"

Found = Mapping[str, tuple[Product, ...]]


class CachedCategories(Struct, frozen=True):
    """Entry of `categories:all`."""

    version: int
    names: list[str]


class CachedSearch(Struct, frozen=True):
    """Entry of `product_search:{term}`."""

    version: int
    products: tuple[Product, ...]


class Catalog:
    """The shop's products and categories, as of a catalogue version."""

    def __init__(self, engine: Engine, cache: Cache, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._cache = cache
        self._clock = clock
        self._categories: CachedCategories | None = None
        self._product_words: ProductWords | None = None
        self._named: tuple[frozenset[str], ...] = ()
        self._goods_until = 0.0

    def categories(self, version: int) -> list[str]:
        """Category names; cached for 30 minutes as long as the version stands, and by this process for as long."""
        if self._categories is None or self._categories.version != version:
            self._categories = self._read_categories(version)
        return self._categories.names

    def _read_categories(self, version: int) -> CachedCategories:
        cached = entries(self._cache.get_many(CATEGORIES, ["all"]), CachedCategories).get("all")
        if cached and cached.version == version:
            return cached
        read = CachedCategories(version, retry.run(self._engine, categories))
        self._cache.set_many(CATEGORIES, {"all": msgspec.to_builtins(read)})
        return read

    def product_words(self) -> ProductWords:
        """Words by which the things sold here are called, at most 5 minutes old: a word more or less only decides
        whether a question may be shared, never what is answered. The same object as long as no name changes.
        """
        now = self._clock()
        if self._product_words is None or now >= self._goods_until:
            named = tuple(frozenset(retry.run(self._engine, read)) for read in (product_names, categories))
            if self._product_words is None or named != self._named:
                self._product_words, self._named = product_words_of(*named), named
            self._goods_until = now + GOODS_TTL_S
        return self._product_words

    def terms_of(self, text: str) -> tuple[str, ...]:
        """Searches that the words of a text lead to."""
        words = self.product_words()
        return catalog_terms(search_terms(text, words.mended), words)

    def search(self, wanted: Mapping[str, int]) -> dict[str, tuple[Product, ...]]:
        """Returns products by term: one MGET, and for all misses together one query and one write.

        Args:
            wanted: terms with the catalogue version at which each is wanted.
        """
        cached = entries(self._cache.get_many(PRODUCT_SEARCH, list(wanted)), CachedSearch)
        results = {term: entry.products for term, entry in cached.items() if entry.version == wanted[term]}
        missing = [term for term in wanted if term not in results]
        if missing:
            fresh = self._query(missing)
            read = {term: CachedSearch(wanted[term], fresh[term]) for term in missing}
            self._cache.set_many(PRODUCT_SEARCH, msgspec.to_builtins(read))
            results |= fresh
        return results

    def _query(self, terms: list[str]) -> dict[str, tuple[Product, ...]]:
        by_price = [term.removeprefix(BY_PRICE) for term in terms if term.startswith(BY_PRICE)]
        plain = [term for term in terms if not term.startswith(BY_PRICE)]
        compared = self._found(by_price, MOST_COMPARED)
        return self._found(plain, MAX_RESULTS) | {
            f"{BY_PRICE}{term}": _cheapest(term, products) for term, products in compared.items()
        }

    def _found(self, terms: list[str], most: int) -> dict[str, tuple[Product, ...]]:
        asked = {f"{EXACTLY}{term}" if self._is_not_sold(term) else term: term for term in terms}
        found: dict[str, list[Product]] = {term: [] for term in terms}
        if terms:
            for row in retry.run(self._engine, lambda connection: search_products(connection, list(asked), most)):
                found[asked[row["term"]]].append(msgspec.convert(row, Product))
        return {term: tuple(products) for term, products in found.items()}

    def _is_not_sold(self, term: str) -> bool:
        """Returns whether a term is one word for something that no product here is called by: it is no slip of another,
        as "tabla" is not "talla".
        """
        return is_any(term, GROCERIES) and stem(term) not in self.product_words().stems


def _cheapest(term: str, found: Sequence[Product]) -> tuple[Product, ...]:
    """The cheapest of what is called so, what is sold out last; where nothing is, the best of what was found. The
    cheapest of each unit and currency is among them: their prices are no lower or higher.
    """

    def rank(product: Product) -> tuple[bool, Decimal, int]:
        return not product.has(product.step), product.price, product.id

    by_price = sorted(called(term, found), key=rank)
    of_each = {(product.unit, product.currency): product for product in reversed(by_price)}
    chosen = distinct([*sorted(of_each.values(), key=rank), *by_price])[:MAX_RESULTS]
    return tuple(sorted(chosen, key=rank)) or tuple(found)[:MAX_RESULTS]


def distinct(products: Iterable[Product]) -> tuple[Product, ...]:
    """Each product once, in order."""
    return tuple({product.id: product for product in products}.values())
